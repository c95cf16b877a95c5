"""What a sweep has found, as plain data: `scaling.json` holds it, table and page are made from it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from loadtests.scaling.answer import Latency, Memory
from loadtests.scaling.law import Fit, Interval, Law

STEADY = 1.3  # times the slowest that the fastest measurement of a size may be


@dataclass(frozen=True)
class Throughput:
    """A full queue that was drained by so many workers."""

    workers: int
    tasks: int
    rate: float  # tasks per second


@dataclass(frozen=True)
class Curve:
    """What was found with one concurrency."""

    concurrency: int
    drains: list[Throughput]
    fit: Fit
    latencies: list[Latency]
    share: float | None  # of the throughput that the p95 allows
    message: float  # bytes of a waiting message in Redis
    result: float  # bytes of a result in Redis
    base: int  # bytes of an empty Redis

    @property
    def largest(self) -> int:
        """The most workers that were measured."""
        return max(one.workers for one in self.drains)

    @property
    def unsteady(self) -> list[int]:
        """The sizes whose measurements differ so much that something else took the cores meanwhile."""
        sizes = sorted({one.workers for one in self.drains})
        return [size for size in sizes if max(self.rates(size)) > STEADY * min(self.rates(size))]

    def rates(self, workers: int) -> list[float]:
        """Return what was measured with so many workers, in tasks per second."""
        return [one.rate for one in self.drains if one.workers == workers]


@dataclass(frozen=True)
class Answer:
    """So many workers for a rate."""

    rate: float  # tasks per second
    bound: float  # seconds that 95 % of them may take
    workers: int
    concurrency: int
    memory: list[Memory]


@dataclass(frozen=True)
class Check:
    """A prediction, and the run that shows what it is worth."""

    workers: int  # a number that was not measured
    predicted: float  # tasks per second
    expected: Interval  # where a measurement should lie
    measured: list[float]
    p95: float  # seconds, at the rate and with the workers of the answer
    tolerance: float  # share

    @property
    def error(self) -> float:
        """By which share of what was measured the prediction is too high."""
        return self.predicted / median(self.measured) - 1

    @property
    def holds(self) -> bool:
        """Whether the prediction is near enough."""
        return abs(self.error) <= self.tolerance


@dataclass
class Outcome:
    """A sweep."""

    command: str
    date: str  # ISO 8601, UTC
    profile: str
    cores: int
    curves: list[Curve] = field(default_factory=list)
    answer: Answer | None = None
    check: Check | None = None
    refusal: str = ""  # why there is no answer

    @property
    def holds(self) -> bool:
        """Whether the prediction was near enough, and the answer keeps its p95."""
        return bool(self.check and self.answer and self.check.holds and self.check.p95 <= self.answer.bound)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data; what is infinite is None."""
        told: dict[str, Any] = {**vars(self), "holds": self.holds, "curves": [_curve(one) for one in self.curves]}
        told["answer"] = asdict(self.answer) if self.answer else None
        told["check"] = {**asdict(self.check), "error": self.check.error} if self.check else None
        return told

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _curve(curve: Curve) -> dict[str, Any]:
    law = curve.fit.law
    figures: dict[str, Callable[[Law], float]] = {
        "rate": lambda one: one.rate,
        "contention": lambda one: one.contention,
        "coherency": lambda one: one.coherency,
        "knee": lambda one: one.knee,
        "peak": lambda one: one.peak,
        "most": lambda one: one.most,
    }
    return {
        "concurrency": curve.concurrency,
        "drains": [asdict(one) for one in curve.drains],
        "law": {
            name: {"value": _finite(of(law)), "interval": [_finite(one) for one in curve.fit.interval(of)]}
            for name, of in figures.items()
        },
        "latencies": [asdict(one) for one in curve.latencies],
        **{name: getattr(curve, name) for name in ("share", "message", "result", "base")},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
