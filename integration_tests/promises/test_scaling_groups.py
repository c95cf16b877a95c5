"""Scaling on one host: concurrency, pools that grow and shrink, children that are replaced, groups that share."""

from __future__ import annotations

import contextlib
import time

import pytest
from celery.canvas import Signature

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from drill.history import Kind
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.scaling import (
    GROUPS,
    LEAST,
    MEMORY,
    MOST,
    PER_CHILD,
    at_once,
    group,
    rate,
    runs_of,
)
from integration_tests.waiting import wait_until

pytestmark = variant(**GROUPS)

PERIOD = 100_000  # microseconds
# of the CPU in each, so that a worker gets them whatever else this machine does: whole cores it may have to share
QUARTER = PERIOD // 4
SHARED_QUEUE = Mutation(
    "a group serves the other's queue, too", "*/compose.yml", r'("--queues", )"four"', r'\1"two,four"'
)


def run(ledger: Ledger, count: int, queue: str, **options: float) -> list[str]:
    """Send tasks to a queue and wait until they have run; return their entries."""
    entries = ledger.send(count, queue=queue, **options)
    ledger.drain()
    return entries


@pytest.mark.parametrize(("name", "slots"), [("two", 2), ("four", 4), ("threads", 4)])
@promise(
    "concurrency-is-kept",
    "A worker runs as many tasks at once as its concurrency says, in processes and in threads.",
    fault="none",
    settings=("celery_workers.concurrency", "celery_workers.pool"),
    unit="tasks at once more or less than the concurrency",
    exactly=0,
)
def test_concurrency_is_kept(stack: Stack, ledger: Ledger, proof: Proof, name: str, slots: int) -> None:
    run(ledger, 2 * slots, name, seconds=0.3)
    proof(at_once(ledger) - slots, f"{at_once(ledger)} in group {name}")


@pytest.mark.parametrize("name", ["four", "threads"])
@promise(
    "sleeping-tasks-scale",
    "Tasks that wait for something else go through four slots nearly twice as fast as through two.",
    fault="none",
    settings=("celery_workers.concurrency",),
    unit="times as fast",
    at_least=1.5,
)
def test_sleeping_tasks_scale_with_concurrency(stack: Stack, ledger: Ledger, proof: Proof, name: str) -> None:
    tasks = {queue: run(ledger, 12, queue, seconds=0.2) for queue in ("two", name)}
    of = {queue: rate(ledger, entries) for queue, entries in tasks.items()}
    proof(of[name] / of["two"], f"{of['two']:.1f} and {of[name]:.1f} tasks/s in group {name}")


@promise(
    "computing-tasks-need-cores",
    "Tasks that compute gain nothing by more processes than there are cores.",
    fault="a quarter of a core for two processes, and for four",
    settings=("celery_workers.concurrency",),
    unit="times as fast",
    at_most=1.6,
)
def test_computing_tasks_need_cores(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    of = {}
    for name in ("two", "four"):
        container = group(stack, name).container
        container.update(cpu_period=PERIOD, cpu_quota=QUARTER)
        of[name] = rate(ledger, run(ledger, 12, name, spin=0.05))
        container.update(cpu_period=PERIOD, cpu_quota=-1)
    proof(of["four"] / of["two"], f"{of['two']:.1f} and {of['four']:.1f} tasks/s")


@promise(
    "pool-grows",
    "A pool that scales by itself grows to its most under a backlog.",
    fault="none",
    settings=("celery_workers.autoscale",),
    unit="tasks at once",
    exactly=MOST,
)
def test_a_pool_grows_with_its_backlog(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    run(ledger, 6 * MOST, "auto", seconds=0.3)
    proof(at_once(ledger))


@promise(
    "pool-shrinks",
    "A pool that scales by itself shrinks to its least when there is nothing to do, and loses no task by it.",
    fault="none",
    settings=("celery_workers.autoscale",),
    unit="children left",
    exactly=LEAST,
)
def test_a_pool_shrinks_when_idle(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    run(ledger, 6 * MOST, "auto", seconds=0.2)
    ended = time.monotonic()
    with contextlib.suppress(AssertionError):
        wait_until("the least pool", lambda: len(group(stack, "auto").children()) <= LEAST, 15)
    children = len(group(stack, "auto").children())
    assert at_once(ledger) > LEAST, "it never grew"
    assert not ledger.judge().lost
    proof(children, f"{time.monotonic() - ended:.1f} s after the last task")


@promise(
    "child-replaced-after-tasks",
    "A child is replaced after as many tasks as it may run, and no task is lost by it.",
    fault="none",
    settings=("celery_workers.max_tasks_per_child",),
    unit="tasks of one child",
    exactly=PER_CHILD,
)
def test_a_child_is_replaced_after_its_tasks(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    run(ledger, 4 * PER_CHILD, "counted")
    ran = runs_of(ledger.events(Kind.STARTED))
    assert not ledger.judge().lost
    proof(max(ran.values()), f"{len(ran)} children for {4 * PER_CHILD} tasks")


@promise(
    "child-replaced-after-memory",
    "A child that holds more memory than it may is replaced after its task, which still answers.",
    fault=f"a task that takes {MEMORY} MiB",
    settings=("celery_workers.max_memory_per_child",),
    unit="of 3 greedy children still there",
    exactly=0,
)
def test_a_child_is_replaced_after_its_memory(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    greedy = Signature("probe.memory_hog", kwargs={"megabytes": MEMORY, "hold": 0}).set(queue="weighed")
    pids = [stack.publish(greedy).get(timeout=10)["pid"] for _ in range(3)]
    proof(len(pids) - len(set(pids)), f"{len(set(pids))} children for {len(pids)} tasks")


@promise(
    "modest-child-stays",
    "A child that holds less memory than it may goes on.",
    fault="none",
    settings=("celery_workers.max_memory_per_child",),
    unit="children for 10 modest tasks",
    exactly=1,
)
def test_a_modest_child_stays(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    run(ledger, 10, "weighed")
    proof(len(runs_of(ledger.events(Kind.STARTED))))


@promise(
    "groups-share-fairly",
    "A group with a long backlog of slow tasks does not hold up the queue of another.",
    fault="a backlog of 30 s in another queue",
    settings=("celery_workers.queues", "celery_routes"),
    unit="s for 20 quick tasks, from the first send",
    at_most=2,
    mutations=(SHARED_QUEUE,),
)
def test_a_backlog_does_not_starve_another_group(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(60, queue="two", seconds=1)
    sent = time.monotonic()
    quick = set(ledger.send(20, queue="four"))
    with contextlib.suppress(AssertionError):
        wait_until("the quick tasks", lambda: quick <= set(ledger.finished()), 3)
    took = time.monotonic() - sent
    with stack.client(user="worker") as client:
        client.delete("queue:two" if stack.speaks_plus else "two")
    proof(took, "beside 60 slow tasks")
