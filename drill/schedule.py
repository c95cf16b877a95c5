"""When which fault happens, and to what: drawn from a seed, so that a schedule can be had again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drill.faults import Fault

JITTER = 0.3  # of the pause between two faults, to either side


@dataclass(frozen=True)
class Planned:
    """One fault to come."""

    number: int
    at: float  # seconds from the begin of the drill; later, where the one before took longer
    fault: Fault
    name: str  # of the service
    lasts: float  # seconds


def schedule(
    seed: int,
    faults: Sequence[Fault],
    redises: Sequence[str],
    workers: Sequence[str],
    *,
    count: int,
    every: float,
) -> list[Planned]:
    """Return a schedule, equal for equal arguments.

    Args:
        seed: of everything that is drawn.
        faults: that may happen; each happens once before one happens twice.
        redises: services that those of Redis may happen to.
        workers: services that those of workers may happen to.
        count: how many.
        every: seconds from one to the next on average.
    """
    drawn = random.Random(seed)  # noqa: S311 - it shall be predictable
    kinds, at, planned = _bag(drawn, faults), 0.0, []
    for number in range(1, count + 1):
        fault = next(kinds)
        at += every * drawn.uniform(1 - JITTER, 1 + JITTER)
        name = drawn.choice(redises if fault.where == "redis" else workers)
        planned.append(Planned(number, at, fault, name, drawn.uniform(*fault.lasts)))
    return planned


def _bag(drawn: random.Random, faults: Sequence[Fault]) -> Iterator[Fault]:
    while True:
        yield from drawn.sample(faults, len(faults))
