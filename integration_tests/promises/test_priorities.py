"""Priorities on the stock transport: 0 is first, four steps, and order holds for what waits in Redis."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant

ONE = [{"name": "single", "queues": ["fast", "slow"], "concurrency": 1}]
pytestmark = variant(celery_workers=ONE, celery_transport="redis")
ROUND = Mutation(
    "queues are asked in turn",
    "*/etc/celery/celeryconfig.py",
    r"order_strategy\": 'priority'",
    "order_strategy\": 'round_robin'",
)
UPSIDE = Mutation(
    "one step only", "*/etc/celery/celeryconfig.py", r"\"priority_steps\": \[0, 3, 6, 9\]", '"priority_steps": [0]'
)


def blocked(ledger: Ledger, seconds: float = 0.7) -> None:
    """Occupy the only slot, so that what is sent now waits in Redis."""
    ledger.send(2, seconds=seconds, priority=0)  # one runs, and one is prefetched
    ledger.await_started()


def order(ledger: Ledger, entries: list[str]) -> list[int]:
    """Return the places of entries in the order in which they were started."""
    assert ledger.drain()
    started = [entry for entry in ledger.started() if entry in entries]
    return [entries.index(entry) for entry in started]


@promise(
    "priority-order",
    "Of what waits, the lowest number is run first: 0 before 3 before 6 before 9.",
    fault="a backlog sent in the worst order",
    settings=("celery_priority_steps", "celery_queue_order_strategy", "celery_worker_prefetch_multiplier"),
    unit="tasks overtaken by one of less priority",
    exactly=0,
    mutations=(UPSIDE,),
)
def test_the_lowest_number_comes_first(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    blocked(ledger)
    sent = [(priority, ledger.send(1, priority=priority)[0]) for priority in (9, 6, 3, 0) * 3]
    entries = [entry for _, entry in sent]
    ran = [sent[place][0] for place in order(ledger, entries)]
    proof(sum(earlier > later for earlier, later in pairwise(ran)), str(ran))


@pytest.mark.parametrize("priority", [0, 3, 9])
@promise(
    "fifo-within-priority",
    "Tasks of one priority are started in the order in which they were sent.",
    fault="a backlog of 20",
    settings=("celery_priority_steps",),
    unit="tasks out of order",
    exactly=0,
)
def test_one_priority_keeps_the_order(stack: Stack, ledger: Ledger, proof: Proof, priority: int) -> None:
    blocked(ledger, 0.3)
    places = order(ledger, ledger.send(20, priority=priority))
    proof(sum(earlier > later for earlier, later in pairwise(places)))


@promise(
    "first-queue-first",
    "A worker of several queues takes from the first of them as long as it has any.",
    fault="a backlog on both queues",
    settings=("celery_workers", "celery_queue_order_strategy"),
    unit="tasks of the second queue run too early",
    exactly=0,
    mutations=(ROUND,),
)
def test_the_first_queue_comes_first(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    blocked(ledger)
    entries = [ledger.send(1, queue=queue, priority=0)[0] for queue in ("slow", "fast") * 6]
    ran = ["slow" if place % 2 == 0 else "fast" for place in order(ledger, entries)]
    proof(ran[:6].count("slow"), " ".join(ran))


@promise(
    "no-starvation-after",
    "What has the least priority is run as soon as nothing else waits.",
    fault="a backlog of more priority",
    settings=("celery_priority_steps",),
    unit="tasks never run",
    exactly=0,
)
def test_the_least_priority_is_run_in_the_end(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    blocked(ledger, 0.3)
    ledger.send(5, priority=9)
    ledger.send(20, priority=0)
    proof(len(ledger.judge(10).lost))
