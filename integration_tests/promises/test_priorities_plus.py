"""Priorities on redis-plus: the highest number is first, each of the 256 counts; within one, first come, first served."""

from __future__ import annotations

from itertools import combinations

import pytest

from bench.ledger import Ledger
from bench.stack import Stack
from drill.history import Kind
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.delivery import PLUS
from integration_tests.promises.priorities import hold, inversions, order

pytestmark = variant(celery_workers=[{"name": "main", "queues": ["fast", "slow"], "concurrency": 1}], **PLUS)
MILLISECOND = 0.001  # seconds


@pytest.mark.parametrize("priorities", [(0, 3, 6, 9), (7, 8, 9), (0, 128, 254, 255)], ids=str)
@promise(
    "priority-order-plus",
    "On redis-plus the highest number goes first, and each number counts: the other way round than on the transport redis.",
    fault="a backlog sent in the worst order",
    settings=("celery_transport",),
    unit="pairs out of order",
    exactly=0,
)
def test_the_highest_goes_first(stack: Stack, ledger: Ledger, proof: Proof, priorities: tuple[int, ...]) -> None:
    hold(ledger)
    ranks = {ledger.send(1, priority=priority)[0]: -priority for priority in priorities * 4}
    proof(inversions([ranks[entry] for entry in order(ledger)]), f"among {len(ranks)} tasks")


@promise(
    "fifo-plus",
    "On redis-plus tasks of one priority start in the order they were sent, to the millisecond: within one it is open.",
    fault="a backlog",
    settings=("celery_transport",),
    unit="pairs out of order",
    exactly=0,
)
def test_first_come_first_served(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    hold(ledger)
    ledger.send(20)
    started = order(ledger)
    sent = {event.entry: event.at for event in ledger.history if event.kind is Kind.SUBMITTED}
    done = {event.entry: event.at for event in ledger.history if event.kind is Kind.ACKNOWLEDGED}
    # The score of a message is the time in whole milliseconds (celery-redis-plus 0.4, _queue_score).
    wrong = sum(done[later] + MILLISECOND < sent[earlier] for earlier, later in combinations(started, 2))
    proof(
        wrong, f"among {len(started)} tasks; {inversions([sorted(started).index(entry) for entry in started])} in all"
    )
