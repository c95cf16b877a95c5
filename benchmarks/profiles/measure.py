"""What a profile gains over Celery's own defaults with the same safety, on a Redis of the same settings, in turn."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.profiles import single
from benchmarks.profiles.drain import drain
from benchmarks.profiles.stack import Place, plain, shipped, staged, workers

PAIRS = 5
TASKS, WARM_UP = 3000, 300
NO_LIMITS: dict[str, Any] = {"celery_task_time_limit": None, "celery_task_soft_time_limit": None}
LIMITS = {"task_time_limit": 300, "task_soft_time_limit": 240}  # what our defaults promise

Pair = tuple[float, float]  # seconds: ours, and the rival's


def drained(ours: Place, theirs: Place) -> Pair:
    """Return the seconds that workers need per task, one side after the other: each has the machine for itself."""
    return _drained(ours), _drained(theirs)


def _drained(place: Place) -> float:
    with workers(*place):
        drain(place[0], WARM_UP)
        return 1 / drain(place[0], TASKS)


def _a_second(seconds: float) -> str:
    return f"{1 / seconds:,.0f}/s"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


@dataclass(frozen=True)
class Comparison:
    """A profile against Celery's defaults."""

    figure: str
    profile: str
    allowed: float  # ours / theirs
    settings: Mapping[str, Any] = field(default_factory=dict)
    rival: Mapping[str, Any] = field(default_factory=dict)  # of Celery's configuration, besides the safety
    without: Mapping[str, Any] = field(default_factory=dict)  # the rival is this profile with these settings of ours
    pair: Callable[[Place, Place], Pair] = drained
    tells: Callable[[float], str] = _a_second


# What issue "Load tests" asks for; and that a module of ours below kombu and Celery is worth it.
COMPARISONS = (
    Comparison(
        figure="a drained task, throughput / Celery's defaults, no limits promised",
        profile="throughput",
        allowed=1 / 1.8,
        settings=NO_LIMITS,
    ),
    Comparison(
        figure="a drained task, throughput / Celery's defaults, both with limits",
        profile="throughput",
        allowed=1 / 1.5,
        rival=LIMITS,
    ),
    Comparison(
        figure="a drained task, throughput with / without celery_reuse_clients",
        profile="throughput",
        allowed=1.0,
        settings=NO_LIMITS,
        without={"celery_reuse_clients": False},
    ),
    Comparison(
        figure="a drained task, throughput with / without celery_one_step_results",
        profile="throughput",
        allowed=1.0,
        settings=NO_LIMITS,
        without={"celery_one_step_results": False},
    ),
    Comparison(
        figure="delay().get() of add, p50, latency / Celery's defaults",
        profile="latency",
        allowed=0.75,
        settings=NO_LIMITS,
        pair=single.both,
        tells=_milliseconds,
    ),
)


def measure(*words: str) -> list[dict[str, object]]:
    """Return a row per comparison: name, value, unit, bound, and what it is compared with.

    Args:
        words: only comparisons whose figure holds one of them; all where none is given.

    Raises:
        RuntimeError: if a task fails.
    """
    chosen = [one for one in COMPARISONS if not words or any(word in one.figure for word in words)]
    with tempfile.TemporaryDirectory() as name:
        try:
            return [_row(Path(name) / str(number), comparison) for number, comparison in enumerate(chosen)]
        except AssertionError as error:  # of what was waited for
            raise RuntimeError(str(error)) from error


def _row(folder: Path, comparison: Comparison) -> dict[str, object]:
    said = {"celery_profile": comparison.profile, **comparison.settings}
    stack, other = staged(folder / "ours", **said), staged(folder / "other", **said, **comparison.without)
    ours, theirs = shipped(stack), shipped(other) if comparison.without else plain(other, **comparison.rival)
    with stack.redis_server(), other.redis_server():
        pairs = [_pair(comparison, (stack, ours), (other, theirs)) for _ in range(PAIRS)]
    ratio = median(a / b for a, b in pairs)
    both = " against ".join(comparison.tells(median(side)) for side in zip(*pairs, strict=True))
    return {
        "figure": comparison.figure,
        "value": round(ratio, 3),
        "unit": "times",
        "bound": round(comparison.allowed, 3),
        "detail": f"{both}; {1 / ratio:.2f} times as fast ({min(b / a for a, b in pairs):.2f} to "
        f"{max(b / a for a, b in pairs):.2f}), medians of {PAIRS} pairs",
    }


def _pair(comparison: Comparison, ours: Place, theirs: Place) -> Pair:
    pair = comparison.pair(ours, theirs)
    print(f"{comparison.figure}: {' against '.join(map(comparison.tells, pair))}", flush=True)
    return pair
