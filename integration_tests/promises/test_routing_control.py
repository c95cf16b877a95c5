"""Control of what was sent: expiry, revoke, broadcast; and groups of workers that do not starve each other."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from itertools import chain
from uuid import uuid4

import pytest
from celery.result import AsyncResult

from bench.ledger import Ledger
from bench.stack import Stack
from integration_tests.promise import Proof, promise, variant
from integration_tests.waiting import wait_until

# Two hosts with two groups each, every process with one slot; within a group the queues in turn.
pytestmark = variant(
    hosts={"worker-2": {"groups": ["celery"]}},
    celery_transport="redis",
    celery_queue_order_strategy="round_robin",
    celery_queues=[{"name": "fast"}, {"name": "slow"}, {"name": "urgent"}],
    celery_routes=[
        {"match": "probe.whoami", "queue": "urgent"},
        {"match": "probe.long", "queue": "slow"},
        {"match": "probe.*", "queue": "fast"},
    ],
    celery_workers=[
        {"name": "main", "queues": ["fast", "slow"], "concurrency": 1},
        {"name": "side", "queues": ["urgent"], "concurrency": 1},
    ],
)

ANSWER = 5.0  # seconds
MAINS = 2  # slots that take from fast and slow
LONG = 2.8  # seconds: shorter than the soft limit


def nodes(stack: Stack) -> set[str]:
    """Return the names of all workers: one process of each group on each host."""
    return {f"{worker.name}-1@{host.name}" for host in stack.fleet.celery_hosts() for worker in host.workers}


def ran(ledger: Ledger, entries: list[str]) -> int:
    """Return how many of some entries were started."""
    return len(set(entries) & set(ledger.started()))


def revoked(results: list[AsyncResult], seconds: float = 15.0) -> list[AsyncResult]:
    """Return which of some results are REVOKED, at the latest after so many seconds."""
    with contextlib.suppress(AssertionError):
        wait_until("the end of all", lambda: all(result.ready() for result in results), seconds)
    return [result for result in results if result.state == "REVOKED"]


def send(ledger: Ledger, count: int, **options: object) -> tuple[list[str], list[AsyncResult]]:
    """Send tasks with results; return their entries and results."""
    entries = [f"{ledger.prefix}-{uuid4().hex[:6]}" for _ in range(count)]
    return entries, [ledger.publish(entry, ignore_result=False, **options) for entry in entries]


@promise(
    "expired-not-run",
    "A task that waited longer than its `expires` is not run, and its result says REVOKED.",
    fault="every slot taken",
    settings=("celery_workers",),
    unit="tasks run too late or not revoked",
    exactly=0,
)
def test_the_expired_is_not_run(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(MAINS, seconds=1.5)
    ledger.await_started(MAINS)
    late, results = send(ledger, 5, expires=0.5)
    timely = ledger.send(5, expires=60)
    found = revoked(results)
    ledger.drain()
    assert ran(ledger, timely) == len(timely)
    proof(ran(ledger, late) + len(late) - len(found), f"of {len(late)}; {len(timely)} in time were run")


@pytest.mark.parametrize("countdown", [None, 1.0], ids=["in the queue", "held for its ETA"])
@promise(
    "revoked-not-run",
    "A revoked task is not run, whether it waits in its queue or in a worker for its time.",
    fault="none",
    settings=("celery_worker_enable_remote_control",),
    unit="tasks run or not revoked",
    exactly=0,
)
def test_the_revoked_is_not_run(stack: Stack, ledger: Ledger, proof: Proof, countdown: float | None) -> None:
    ledger.send(MAINS, seconds=1.0)
    ledger.await_started(MAINS)
    entries, results = send(ledger, 3, countdown=countdown)
    stack.control.control.revoke([result.id for result in results], reply=True, timeout=1, limit=len(stack.workers))
    found = revoked(results)
    ledger.drain()
    proof(ran(ledger, entries) + len(entries) - len(found), f"of {len(entries)}")


@promise(
    "terminated-ends",
    "Revoke with terminate ends a running task, once and for all; its slot takes the next when the pool notices.",
    fault="terminate",
    settings=("celery_worker_enable_remote_control", "celery_task_acks_late"),
    unit="s until the next starts",
    at_most=8,  # the pool looks after its children every 5 s
)
def test_the_terminated_ends(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    entries, results = send(ledger, MAINS, seconds=LONG)
    ledger.await_started(MAINS)
    began = time.monotonic()
    stack.control.control.revoke([result.id for result in results], terminate=True)
    assert len(revoked(results)) == MAINS, f"not revoked: {[result.state for result in results]}"
    ledger.send(MAINS)
    ledger.await_started(2 * MAINS)  # every slot had been taken
    took = time.monotonic() - began
    ledger.drain(LONG)
    again = sum(entry in entries for entry in (*ledger.started(), *ledger.finished())) - MAINS
    proof(took if not again else float("nan"), f"run again or ended {again} times")


@promise(
    "revoke-forgotten",
    "Revokes are kept in the memory of workers: those that were all restarted run what was revoked before. A known harm.",
    fault="kill -9 and start of every worker",
    settings=("celery_mingle",),
    unit="of 3 revoked tasks run",
    exactly=3,
)
def test_a_restart_forgets_revokes(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ids = [uuid4().hex for _ in range(3)]
    told = stack.control.control.revoke(ids, reply=True, timeout=1, limit=len(stack.workers))
    assert len(told) == len(stack.workers)
    for node in stack.workers:
        node.kill()
    for node in stack.workers:
        node.start()
    stack.await_workers()
    entries = [f"{ledger.prefix}-{id[:6]}" for id in ids]
    for id, entry in zip(ids, entries, strict=True):
        ledger.publish(entry, task_id=id)
    with contextlib.suppress(AssertionError):
        wait_until("the start of all", lambda: ran(ledger, entries) == len(entries), ANSWER)
    proof(ran(ledger, entries))


@pytest.mark.parametrize("command", ["ping", "active_queues", "registered", "stats", "conf"])
@promise(
    "broadcast-heard",
    "Every worker of the fleet answers what all are asked.",
    fault="none",
    settings=("celery_worker_enable_remote_control",),
    unit="workers without an answer",
    exactly=0,
)
def test_every_worker_answers(stack: Stack, proof: Proof, command: str) -> None:
    inspect = stack.control.control.inspect(timeout=3, limit=len(stack.workers))
    told = getattr(inspect, command)() or {}
    proof(len(nodes(stack) - set(told)), f"of {len(stack.workers)}, {command}")


def starts(stack: Stack, count: int) -> dict[str, list[float]]:
    """Return when the tasks were started by each worker, of so many that are sent at once."""
    results = [stack.app.send_task("probe.noop") for _ in range(count)]
    wait_until("the end of all", lambda: all(result.ready() for result in results), 30)
    told: dict[str, list[float]] = {}
    for result in results:
        told.setdefault(result.worker, []).append(result.result["started_at"])
    return told


def spread(times: Iterable[float]) -> float:
    """Return the seconds from the first to the last."""
    ordered = sorted(times)
    return ordered[-1] - ordered[0]


@promise(
    "rate-limit-broadcast",
    "A rate limit that is told to all workers holds for each at once, and is gone when it is taken back.",
    fault="a backlog",
    settings=("celery_worker_enable_remote_control",),
    unit="tasks/s of the worker furthest from a limit of 5",
    at_least=3,
    at_most=7,
)
def test_a_rate_limit_is_broadcast(stack: Stack, proof: Proof) -> None:
    limit = {"reply": True, "timeout": 1, "limit": len(stack.workers)}
    stack.control.control.rate_limit("probe.noop", "5/s", **limit)
    limited = starts(stack, 24)
    stack.control.control.rate_limit("probe.noop", "0", **limit)
    free = spread(chain.from_iterable(starts(stack, 24).values()))
    assert len(limited) == MAINS, f"all went to {', '.join(limited)}"
    slowest = max(spread(times) for times in limited.values())
    assert free < 0.7 * slowest, f"still limited when it was taken back: {free:.1f} s after {slowest:.1f} s"
    rates = [(len(times) - 1) / spread(times) for times in limited.values()]
    proof(max(rates, key=lambda rate: abs(rate - 5)), f"of {MAINS}; {free:.2f} s without, {slowest:.1f} s with it")


@promise(
    "groups-do-not-starve",
    "A backlog in the queues of one worker group delays no other group.",
    fault="a backlog that one group cannot keep up with",
    settings=("celery_workers", "celery_worker_prefetch_multiplier"),
    unit="s for a round trip through the other group",
    at_most=1.5,
)
def test_groups_do_not_starve(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    backlog = ledger.send(60, seconds=0.1)
    ledger.await_started(MAINS)
    took = []
    for _ in range(10):
        began = time.monotonic()
        stack.app.send_task("probe.whoami").get(timeout=ANSWER)
        took.append(time.monotonic() - began)
    left = len(backlog) - ran(ledger, backlog)
    assert left, "the backlog was run before the other group was asked"
    proof(max(took), f"the worst of {len(took)}, with {left} waiting")


@promise(
    "queues-in-turn",
    "With `round_robin` a busy queue starves no other queue of its group: they take turns.",
    fault="a backlog in the first queue",
    settings=("celery_queue_order_strategy",),
    unit="tasks of the first queue before five of the second",
    at_most=8,
)
def test_queues_take_turns(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(MAINS, seconds=1)
    ledger.await_started(MAINS)
    first, second = ledger.send(30, queue="fast"), ledger.send(5, queue="slow")
    ledger.drain()
    started = ledger.started()
    last = max(started.index(entry) for entry in second)
    proof(sum(entry in first for entry in started[:last]), f"of {len(first)}")


@promise(
    "priority-any-order",
    "Priorities hold whatever the order of queues: it only decides between queues of one step.",
    fault="a backlog in the first queue",
    settings=("celery_queue_order_strategy", "celery_priority_steps"),
    unit="tasks of lower priority before the last of higher",
    at_most=1,
)
def test_priorities_hold_in_any_order(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(MAINS, seconds=1.5)
    ledger.await_started(MAINS)
    low = [entry for _ in range(5) for queue in ("fast", "slow") for entry in ledger.send(1, queue=queue, priority=6)]
    high = [entry for _ in range(5) for queue in ("fast", "slow") for entry in ledger.send(1, queue=queue, priority=3)]
    ledger.drain()
    started = ledger.started()
    last = max(started.index(entry) for entry in high)
    # Two workers: what one took as the last of the higher priority may start after the other's first of the lower.
    proof(sum(entry in low for entry in started[:last]), f"of {len(low)}")
