"""Routing: every task goes where its route says, and what goes nowhere is told, not lost."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from celery.exceptions import NotRegistered, TaskRevokedError
from kombu.exceptions import KombuError

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from integration_tests.waiting import wait_until

TWO = [
    {"name": "quick", "queues": ["fast"], "concurrency": 1},
    {"name": "long", "queues": ["slow"], "concurrency": 1},
]
ROUTES = [
    {"match": "probe.long", "queue": "slow"},
    {"match": "probe.e*", "queue": "slow"},
    {"match": "probe.*", "queue": "fast"},
]
pytestmark = variant(celery_workers=TWO, celery_routes=ROUTES)
MISSPELT = Mutation("a route is misspelt", "*/etc/celery/celeryconfig.py", r"'probe\.e\*'", "'probes.e*'")
TASKS = {
    "probe.long": ((1, 0.01), "long"),
    "probe.echo": (("x",), "long"),
    "probe.add": ((1, 2), "quick"),
    "probe.noop": ((), "quick"),
    "probe.whoami": ((), "quick"),
    "probe.sum": (([1, 2],), "quick"),
}


def runner(stack: Stack, task: str, timeout: float = 8, **options: object) -> str:
    """Return the name of the worker group that ran a task."""
    args = TASKS[task][0] if task in TASKS else ()
    result = stack.app.send_task(task, args, **options)
    result.get(timeout=timeout)
    return str(result.worker).partition("-")[0]


@pytest.mark.parametrize("task", list(TASKS))
@promise(
    "routed",
    "A task goes to the queue of the first route that matches its name, and is run by a worker of that queue.",
    fault="none",
    settings=("celery_routes", "celery_workers", "celery_queues"),
    unit="tasks run elsewhere",
    exactly=0,
)
def test_a_task_goes_where_its_route_says(stack: Stack, proof: Proof, task: str) -> None:
    ran = runner(stack, task)
    proof(ran != TASKS[task][1], f"{task} by {ran}")


@promise(
    "first-route-wins",
    "The first route that matches wins, whatever follows it.",
    fault="two routes that match",
    settings=("celery_routes",),
    unit="tasks run elsewhere",
    exactly=0,
    mutations=(MISSPELT,),
)
def test_the_first_route_wins(stack: Stack, proof: Proof) -> None:
    ran = Counter(runner(stack, "probe.echo") for _ in range(5))
    proof(5 - ran["long"], str(dict(ran)))


@promise(
    "explicit-queue-wins",
    "A queue that the sender names is taken, whatever the routes say.",
    fault="none",
    settings=("celery_routes",),
    unit="tasks run elsewhere",
    exactly=0,
)
def test_a_queue_that_is_named_is_taken(stack: Stack, proof: Proof) -> None:
    proof(runner(stack, "probe.add", queue="slow") != "long")


@promise(
    "unknown-queue-refused",
    "A queue that nobody declared is refused where the task is sent, instead of taking it for ever.",
    fault="a task sent to a queue that is misspelt",
    settings=("celery_queues", "celery_task_create_missing_queues"),
    unit="tasks taken",
    exactly=0,
)
def test_a_queue_that_is_not_declared_is_refused(stack: Stack, proof: Proof) -> None:
    with pytest.raises((KombuError, LookupError)):
        stack.app.send_task("probe.add", (1, 2), queue="fsat")
    with stack.client() as client:
        proof(client.exists("fsat"))


@promise(
    "unregistered-told",
    "A task that no worker knows fails at once, with its name, and the worker goes on.",
    fault="a task of another release",
    settings=("celery_imports",),
    unit="s until the sender knows",
    at_most=3,
)
def test_a_task_that_nobody_knows_is_told(stack: Stack, proof: Proof) -> None:
    began = time.monotonic()
    with pytest.raises(NotRegistered, match=r"probe\.of_tomorrow"):
        stack.app.send_task("probe.of_tomorrow", queue="fast").get(timeout=8)
    took = time.monotonic() - began
    assert runner(stack, "probe.add") == "quick"
    proof(took)


@promise(
    "groups-apart",
    "A queue full of long tasks does not hold up the tasks of another worker group.",
    fault="20 tasks of 0.3 s on one queue, a short one on the other",
    settings=("celery_workers", "celery_routes"),
    unit="s that the short one takes",
    at_most=1,
)
def test_a_full_queue_does_not_hold_up_another(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(20, seconds=0.3, queue="slow")
    began = time.monotonic()
    assert runner(stack, "probe.add") == "quick"
    proof(time.monotonic() - began)
    assert ledger.drain()


@promise(
    "rate-limited",
    "A rate limit holds: 10 a second are started evenly, whatever waits.",
    fault="30 tasks at once",
    settings=("celery_task_default_rate_limit",),
    unit="tasks per second",
    at_least=8,
    at_most=12,
)
def test_a_rate_limit_holds(stack: Stack, proof: Proof) -> None:
    results = [stack.app.send_task("probe.rate_limited") for _ in range(30)]
    times = sorted(result.get(timeout=10)["monotonic"] for result in results)
    proof((len(times) - 1) / (times[-1] - times[0]))


@promise(
    "expired-not-run",
    "A message that waited longer than it may is dropped, and the sender is told.",
    fault="tasks with expires=0.5 behind one that takes longer",
    settings=("celery_task_acks_late",),
    unit="tasks run too late",
    exactly=0,
)
def test_what_is_expired_is_not_run(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(1, seconds=1.2, queue="slow")
    ledger.await_started()
    results = [stack.app.send_task("probe.echo", ("late",), expires=0.5) for _ in range(5)]
    revoked = 0
    for result in results:
        with pytest.raises(TaskRevokedError):
            result.get(timeout=8)
        revoked += 1
    proof(5 - revoked)
    assert ledger.drain()


@pytest.mark.parametrize("running", [False, True], ids=["waiting", "running"])
@promise(
    "revoked-stopped",
    "A task that is revoked does not run; one that runs is ended where that is asked for, and its child replaced.",
    fault="revoke(), with terminate for one that runs",
    settings=("celery_worker_enable_remote_control",),
    unit="revoked tasks that finished",
    exactly=0,
)
def test_what_is_revoked_does_not_finish(stack: Stack, ledger: Ledger, proof: Proof, running: bool) -> None:
    sent = [ledger.publish(f"{ledger.prefix}-revoked", seconds=2, queue="slow", ignore_result=False)]
    ledger.await_started()
    if not running:
        sent = [ledger.publish(f"{ledger.prefix}-waiting", queue="slow", ignore_result=False)]
        ledger.await_started()
    stack.control.control.revoke(sent[0].id, terminate=running)
    with pytest.raises(TaskRevokedError):
        sent[0].get(timeout=8)
    wait_until("the worker takes tasks", lambda: runner(stack, "probe.echo") == "long", 10)
    proof(len(set(ledger.finished()) & {f"{ledger.prefix}-{'revoked' if running else 'waiting'}"}))


@promise(
    "broadcast-heard",
    "A broadcast reaches every worker.",
    fault="none",
    settings=("celery_worker_enable_remote_control",),
    unit="workers that did not answer",
    exactly=0,
)
def test_a_broadcast_reaches_every_worker(stack: Stack, proof: Proof) -> None:
    names = {"quick-1@worker-1", "long-1@worker-1"}
    proof(len(names - set(stack.command("ping", names))))
