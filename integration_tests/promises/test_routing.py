"""Routing: a task goes to the queue that its route names, a queue that there is not is refused, and nothing goes astray."""

from __future__ import annotations

import time
from typing import Any

import pytest
from celery.exceptions import QueueNotFound
from celery.exceptions import TimeoutError as NoResult
from kombu.exceptions import OperationalError

from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from integration_tests.waiting import wait_until
from settings.rules.queues import route_matches

pytestmark = variant(celery_transport="redis")

ANSWER = 5.0  # seconds
# Every kind of probe, with arguments that are soon done.
CALLS: dict[str, dict[str, Any]] = {
    "probe.add": {"x": 1, "y": 2},
    "probe.autoretry": {"failures": 0},
    "probe.echo": {"payload": "hello"},
    "probe.fail": {},
    "probe.heartbeat": {},
    "probe.long": {"stages": 1, "seconds": 0},
    "probe.noop": {},
    "probe.priority": {"tag": "one"},
    "probe.rate_limited": {},
    "probe.retry": {"failures": 0},
    "probe.sleep": {"seconds": 0},
    "probe.soft_limit": {"seconds": 0},
    "probe.sum": {"numbers": [1, 2]},
    "probe.whoami": {},
}
MISSPELT = Mutation(
    "route misspelt", "*/etc/celery/celeryconfig.py", r"'probe\.long': ", "'tasks.probe.progress.long': "
)


def landed(stack: Stack, task: str, **options: Any) -> str:
    """Run a task and return the queue that it came by; what became of it instead where there is none."""
    try:
        result = stack.app.send_task(task, kwargs=CALLS[task], **options)
        result.get(timeout=ANSWER, propagate=False)
    except NoResult:
        return "nobody's"
    except Exception as error:  # whatever class: it was refused
        return type(error).__name__
    return str(result.queue)


@promise(
    "route-kept",
    "Each task goes to the queue that the first matching route names, else to the default queue.",
    fault="none",
    settings=("celery_routes", "celery_task_default_queue"),
    unit="tasks elsewhere",
    exactly=0,
    mutations=(MISSPELT,),
)
def test_every_task_takes_its_route(stack: Stack, proof: Proof) -> None:
    celery = stack.fleet.celery_hosts()[0].celery
    wanted = {
        task: next((one.queue for one in celery.routes if route_matches(one.match, task)), celery.task_default_queue)
        for task in CALLS
    }
    seen = {task: landed(stack, task) for task in CALLS}
    astray = {task: queue for task, queue in seen.items() if queue != wanted[task]}
    proof(len(astray), f"of {len(CALLS)} {astray or ''}".rstrip())


@pytest.mark.parametrize("queue", ["fast", "slow"])
@promise(
    "queue-consumed",
    "Every declared queue is consumed, and who names a queue overrides the routes.",
    fault="none",
    settings=("celery_queues", "celery_workers"),
    unit="tasks elsewhere",
    exactly=0,
)
def test_every_queue_is_consumed(stack: Stack, proof: Proof, queue: str) -> None:
    told = stack.app.send_task("probe.whoami", queue=queue).get(timeout=ANSWER)
    proof(int(told["queue"] != queue), f"{queue}: run by {told['worker']}")


@pytest.mark.parametrize("told_to_create", [False, True], ids=["by the configuration", "by Redis"])
@promise(
    "unknown-queue-refused",
    "A queue that there is not is refused aloud: by celeryconfig.py, and by the users of Redis where an application has "
    "its own.",
    fault="a misspelt queue",
    settings=("celery_task_create_missing_queues", "redis_acl_users"),
    unit="tasks taken",
    exactly=0,
)
def test_an_unknown_queue_is_refused(stack: Stack, proof: Proof, told_to_create: bool) -> None:
    before = stack.app.amqp.queues.create_missing
    stack.app.amqp.queues.create_missing = told_to_create
    try:
        stack.app.send_task("probe.noop", queue="slwo", retry=False)
        taken, how = 1, ""
    except (QueueNotFound, OperationalError) as error:
        taken, how = 0, f"{type(error).__name__}: {error}"
    finally:
        stack.app.amqp.queues.create_missing = before
        stack.app.amqp.queues.pop("slwo", None)
    assert taken or ("permissions" if told_to_create else "missing") in how, how
    with stack.client() as client:
        proof(taken + client.exists("slwo"), how)


@promise(
    "unregistered-told",
    "Who sends a task that no worker knows is told so, and the worker goes on.",
    fault="a task that nobody registered",
    settings=("celery_imports",),
    unit="s until told",
    at_most=5,
)
def test_an_unregistered_task_is_told(stack: Stack, proof: Proof) -> None:
    began = time.monotonic()
    result = stack.app.send_task("tasks.probe.basic.whoami")  # its module's path: what a name is often taken for
    wait_until("the failure", lambda: result.state == "FAILURE", 2 * ANSWER)
    took = time.monotonic() - began
    assert "NotRegistered" in type(result.result).__name__
    assert stack.app.send_task("probe.echo", args=["alive"]).get(timeout=ANSWER) == "alive"
    proof(took, "NotRegistered")
