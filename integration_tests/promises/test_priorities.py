"""Priorities on the redis transport: 0 is first, in four steps; within a step, first come, first served."""

from __future__ import annotations

import pytest

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.priorities import hold, inversions, order
from integration_tests.waiting import wait_until

# One slot: the order of starts is the order in which the worker asked for tasks.
pytestmark = variant(
    celery_transport="redis",
    celery_workers=[{"name": "main", "queues": ["fast", "slow"], "concurrency": 1}],
    celery_routes=[
        {"match": "probe.priority", "queue": "fast", "priority": 9},
        {"match": "probe.long", "queue": "slow"},
        {"match": "probe.*", "queue": "fast"},
    ],
)

CONFIG = "*/etc/celery/celeryconfig.py"
ONE_LEVEL = Mutation("one level for all", CONFIG, r'"priority_steps": .*,', '"priority_steps": [0],')
ROUND_ROBIN = Mutation(
    "queues in turn", CONFIG, r'"queue_order_strategy": .*,', '"queue_order_strategy": "round_robin",'
)


@promise(
    "priority-order",
    "Under a backlog the highest priority goes first: 0, then 3, 6, 9; a task without one counts as 0.",
    fault="a backlog",
    settings=("celery_priority_steps",),
    unit="pairs out of order",
    exactly=0,
    mutations=(ONE_LEVEL,),
)
def test_priorities_are_kept(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    hold(ledger)
    ranks: dict[str, int] = {}
    for priority in (9, 6, 3, 0, None) * 4:
        ranks[ledger.send(1, priority=priority)[0]] = priority or 0
    proof(inversions([ranks[entry] for entry in order(ledger)]), f"among {len(ranks)} tasks")


@pytest.mark.parametrize("priorities", [(2, 1, 0), (5, 4, 3), (8, 7, 6)], ids=lambda them: f"{them[-1]} to {them[0]}")
@promise(
    "priority-steps",
    "Priorities between two steps are one: 0 to 2, 3 to 5 and 6 to 8 do not tell tasks apart.",
    fault="a backlog",
    settings=("celery_priority_steps",),
    unit="pairs not in the order they were sent",
    exactly=0,
)
def test_priorities_have_steps(stack: Stack, ledger: Ledger, proof: Proof, priorities: tuple[int, ...]) -> None:
    hold(ledger)
    sent = [ledger.send(1, priority=priority)[0] for priority in priorities * 4]
    proof(inversions([sent.index(entry) for entry in order(ledger)]), f"among {len(sent)} tasks")


@pytest.mark.parametrize("priority", [None, 0, 9])
@promise(
    "fifo",
    "Tasks of one priority start in the order they were sent.",
    fault="a backlog",
    settings=("celery_priority_steps",),
    unit="pairs out of order",
    exactly=0,
)
def test_first_come_first_served(stack: Stack, ledger: Ledger, proof: Proof, priority: int | None) -> None:
    hold(ledger)
    sent = ledger.send(30, priority=priority)
    proof(inversions([sent.index(entry) for entry in order(ledger)]), f"among {len(sent)} tasks")


@promise(
    "route-priority",
    "The priority of a route is that of its tasks.",
    fault="a backlog",
    settings=("celery_routes",),
    unit="tasks of priority 9 that went before one of 0",
    exactly=0,
)
def test_a_route_gives_a_priority(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    hold(ledger)
    low = [stack.app.send_task("probe.priority", args=[str(number)]) for number in range(5)]
    ledger.send(5)
    order(ledger)
    last = max(event.at for event in ledger.history if event.kind == "started")
    starts = [result.get(timeout=10)["started_at"] for result in low]
    proof(sum(start < last for start in starts), f"of {len(low)}")


@promise(
    "low-runs-at-last",
    "Tasks of low priority run as soon as those of high priority are done; until then none does.",
    fault="a backlog of high priority",
    settings=("celery_priority_steps",),
    unit="s after the last of high priority",
    at_least=0,
    at_most=1,
)
def test_low_priority_runs_at_last(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    hold(ledger)
    low, high = ledger.send(3, priority=9), ledger.send(15, priority=0, seconds=0.05)
    order(ledger)
    at = {event.entry: event.at for event in ledger.history if event.kind == "started"}
    proof(min(at[entry] for entry in low) - max(at[entry] for entry in high), f"{len(high)} before {len(low)}")


@promise(
    "queues-in-order",
    "A worker group empties its queues in the order it names them: a busy first queue starves the others of the group.",
    fault="a backlog in the first queue",
    settings=("celery_queue_order_strategy", "celery_workers"),
    unit="tasks of the second queue before the first is empty",
    exactly=0,
    mutations=(ROUND_ROBIN,),
)
def test_queues_go_in_order(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    hold(ledger)
    second, first = ledger.send(10, queue="slow"), ledger.send(10, queue="fast")
    started = order(ledger)
    emptied = max(started.index(entry) for entry in first)
    proof(sum(entry in second for entry in started[:emptied]), f"of {len(second)}")


@promise(
    "priority-across-queues",
    "A higher priority goes first even in a queue that the group names later.",
    fault="a backlog in the first queue",
    settings=("celery_queue_order_strategy", "celery_priority_steps"),
    unit="pairs out of order",
    exactly=0,
)
def test_priorities_hold_across_queues(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    hold(ledger)
    low, high = ledger.send(10, queue="fast", priority=6), ledger.send(10, queue="slow", priority=3)
    proof(inversions([int(entry in low) for entry in order(ledger)]), f"among {len(low) + len(high)} tasks")


@promise(
    "rate-limit",
    "A rate limit is kept by each worker process: tasks start no faster than it says, and not much slower.",
    fault="a backlog",
    settings=("celery_task_default_rate_limit",),
    unit="tasks/s at a limit of 10",
    at_least=8,
    at_most=10.5,
)
def test_a_rate_limit_is_kept(stack: Stack, proof: Proof) -> None:
    results = [stack.app.send_task("probe.rate_limited") for _ in range(21)]
    wait_until("the end of all", lambda: all(result.ready() for result in results), 15)
    starts = sorted(result.result["started_at"] for result in results)
    proof((len(starts) - 1) / (starts[-1] - starts[0]), f"{len(starts)} tasks")
