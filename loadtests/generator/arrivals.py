"""When tasks arrive, whatever the system does: schedules as pure functions from time to a count of arrivals, and back.

All times are seconds since the start, all rates arrivals per second.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count, pairwise
from math import sqrt
from typing import Protocol

ROUNDING = 1e-6  # of an arrival: 30 s of 0.1/s are three


class Schedule(Protocol):
    """What a schedule can tell."""

    @property
    def seconds(self) -> float:
        """How long it lasts."""

    def count(self, at: float) -> float:
        """Return how many have arrived by a time; between two arrivals a fraction."""

    def time_of(self, number: float) -> float:
        """Return when the count reaches a number: the inverse of `count`."""


@dataclass(frozen=True)
class Piece:
    """A stretch of time in which the rate changes evenly."""

    seconds: float
    begin: float
    end: float

    def __post_init__(self) -> None:
        """Refuse what no stretch of time can be.

        Raises:
            ValueError: if it lasts no time, or a rate is negative.
        """
        if not self.seconds > 0 or not self.begin >= 0 or not self.end >= 0:
            raise ValueError(f"{self}: a piece lasts more than 0 s, and its rates are 0 or more")

    def count(self, at: float) -> float:
        """Return how many arrive in its first seconds."""
        return at * self.begin + at * at * (self.end - self.begin) / (2 * self.seconds)

    def time_of(self, number: float) -> float:
        """Return when so many have arrived, from its begin."""
        # the root of the quadratic in the form that does not cancel, and that holds for a constant rate
        slope = (self.end - self.begin) / self.seconds
        return 2 * number / (self.begin + sqrt(max(0.0, self.begin**2 + 2 * slope * number)))


class Rates:
    """A schedule of pieces, one after the other."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        """Put them together.

        Raises:
            ValueError: if nothing ever arrives.
        """
        self._pieces = tuple(pieces)
        self._begins = [0.0, *accumulate(piece.seconds for piece in pieces)]
        self._counts = [0.0, *accumulate(piece.count(piece.seconds) for piece in pieces)]
        if not self._counts[-1] > 0:
            raise ValueError("a schedule in which nothing arrives")

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self._begins[-1]

    def count(self, at: float) -> float:
        """Return how many have arrived by a time."""
        if at >= self.seconds:
            return self._counts[-1]
        index = max(0, bisect_right(self._begins, at) - 1)
        return self._counts[index] + self._pieces[index].count(max(0.0, at - self._begins[index]))

    def time_of(self, number: float) -> float:
        """Return when the count reaches a number; infinity where it never does."""
        if number > self._counts[-1] + ROUNDING:
            return float("inf")
        # what rounding left over must not fall into a last piece where nothing arrives
        number = min(number, self._counts[-1])
        # the first piece that reaches it: where nothing arrives, the count stands still
        index = min(max(0, bisect_left(self._counts, number) - 1), len(self._pieces) - 1)
        left = number - self._counts[index]
        return self._begins[index] + (self._pieces[index].time_of(left) if left > 0 else 0.0)


class Trace:
    """A recorded trace: the very times at which tasks arrived."""

    def __init__(self, times: Sequence[float], speed: float = 1.0) -> None:
        """Replay it.

        Args:
            times: of the arrivals, in seconds of any clock, ascending.
            speed: 2 replays it in half the time.

        Raises:
            ValueError: if it is empty, or goes back in time.
        """
        if not times or any(later < earlier for earlier, later in pairwise(times)):
            raise ValueError("a trace is a list of ascending times")
        self._times = [(at - times[0]) / speed for at in times]

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self._times[-1]

    def count(self, at: float) -> float:
        """Return how many have arrived by a time."""
        return float(bisect_right(self._times, at))

    def time_of(self, number: float) -> float:
        """Return when the count reaches a number; infinity where it never does."""
        index = max(0, -int(-number // 1) - 1)
        return self._times[index] if index < len(self._times) else float("inf")


def constant(rate: float, seconds: float) -> Rates:
    """Return a constant rate."""
    return Rates([Piece(seconds, rate, rate)])


def ramp(begin: float, end: float, seconds: float) -> Rates:
    """Return a rate that changes evenly."""
    return Rates([Piece(seconds, begin, end)])


def steps(rates: Sequence[float], seconds: float) -> Rates:
    """Return rates one after the other, each for so long."""
    return Rates([Piece(seconds, rate, rate) for rate in rates])


def spike(base: float, peak: float, before: float, during: float, after: float) -> Rates:
    """Return a base rate with a peak in it; the last three are seconds."""
    return Rates([Piece(before, base, base), Piece(during, peak, peak), Piece(after, base, base)])


def soak(rate: float, seconds: float, warm_up: float) -> Rates:
    """Return a constant rate for a long time, after a ramp: a start at full rate would be a spike."""
    return Rates([Piece(warm_up, 0, rate), Piece(seconds, rate, rate)])


def arrivals(schedule: Schedule, part: int = 0, parts: int = 1, seed: int | None = None) -> Iterator[float]:
    """Yield the times of the arrivals.

    Args:
        schedule: what arrives when.
        part: which of several generators asks: from 0. Each takes every n-th arrival, so that all together keep the
            schedule exactly.
        parts: how many generators there are.
        seed: arrivals at random (a Poisson process with the schedule's rates), the same for the same seed. None: evenly.
    """
    numbers = count(1.0) if seed is None else _random(seed)
    for index, number in enumerate(numbers):
        at = schedule.time_of(number)
        if at == float("inf"):
            return
        if index % parts == part:
            yield at


def _random(seed: int) -> Iterator[float]:
    # a Poisson process of rate 1, which the schedule's count turns into one of its own rates
    draw = random.Random(seed)  # noqa: S311 - arrivals, no secrets
    return accumulate(draw.expovariate(1.0) for _ in count())
