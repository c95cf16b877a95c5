"""A backlog behind one slot: the order of starts is the order in which the worker asked for tasks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from bench.ledger import Ledger

HELD = 1.0  # seconds in which the backlog is sent


def inversions(ranks: Sequence[int]) -> int:
    """Return how many pairs stand the wrong way round."""
    return sum(one > other for one, other in combinations(ranks, 2))


def hold(ledger: Ledger) -> None:
    """Fill the only slot for a while: what is sent now waits in Redis."""
    ledger.send(1, seconds=HELD)
    ledger.await_started()


def order(ledger: Ledger) -> list[str]:
    """Return the entries in the order of their start, without the one that held the slot; all have been run."""
    assert ledger.drain(), "a backlog was not run"
    return ledger.started()[1:]
