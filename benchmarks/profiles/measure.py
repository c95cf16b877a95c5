"""What a profile gains over Celery's own defaults with the same safety, on the same Redis, in turn."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.profiles.drain import drain
from benchmarks.profiles.stack import Side, plain, shipped, staged, workers
from integration_tests.load.stack import REPOSITORY, Stack

PAIRS = 5
TASKS, WARM_UP = 3000, 300
SINGLE = 150  # tasks that are sent one by one
TIMEOUT = 60.0
NO_LIMITS: dict[str, Any] = {"celery_task_time_limit": None, "celery_task_soft_time_limit": None}
LIMITS = {"task_time_limit": 300, "task_soft_time_limit": 240}  # what our defaults promise

Measure = Callable[[Stack, Side], float]


@dataclass(frozen=True)
class Comparison:
    """A profile against Celery's defaults."""

    figure: str
    profile: str
    measure: Measure  # seconds
    allowed: float  # ours / theirs
    tells: Callable[[float], str]  # seconds, as a person reads them
    settings: Mapping[str, Any] = field(default_factory=dict)
    rival: Mapping[str, Any] = field(default_factory=dict)  # of Celery's configuration, besides the safety
    without: Mapping[str, Any] = field(default_factory=dict)  # the rival is this profile with these settings of ours


def a_drained_task(stack: Stack, side: Side) -> float:
    """Return the seconds that workers need per task."""
    with workers(stack, side):
        drain(stack, WARM_UP)
        return 1 / drain(stack, TASKS)


def a_single_task(stack: Stack, side: Side) -> float:
    """Return the median of delay().get() at a low rate, in seconds, by a client that is configured as the workers are."""
    with workers(stack, side):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.profiles.one_by_one", str(SINGLE)],
            env={**side.environment, "PYTHONPATH": f"{side.environment['PYTHONPATH']}:{REPOSITORY}"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{side.name}: {done.stderr[-2000:]}")
    return float(median(json.loads(done.stdout)))


# What issue "Load tests" asks for.
COMPARISONS = (
    Comparison(
        figure="a drained task, throughput / Celery's defaults, no limits promised",
        profile="throughput",
        measure=a_drained_task,
        allowed=1 / 1.8,
        tells=lambda seconds: f"{1 / seconds:,.0f}/s",
        settings=NO_LIMITS,
    ),
    Comparison(
        figure="a drained task, throughput / Celery's defaults, both with limits",
        profile="throughput",
        measure=a_drained_task,
        allowed=1 / 1.5,
        tells=lambda seconds: f"{1 / seconds:,.0f}/s",
        rival=LIMITS,
    ),
    Comparison(
        figure="a drained task, throughput with / without celery_reuse_clients",
        profile="throughput",
        measure=a_drained_task,
        allowed=1.0,
        tells=lambda seconds: f"{1 / seconds:,.0f}/s",
        settings=NO_LIMITS,
        without={"celery_reuse_clients": False},
    ),
    Comparison(
        figure="delay().get() of add, p50, latency / Celery's defaults",
        profile="latency",
        measure=a_single_task,
        allowed=0.75,
        tells=lambda seconds: f"{1000 * seconds:.2f} ms",
        settings=NO_LIMITS,
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
    stack = staged(folder / "ours", **said)
    other = staged(folder / "other", **said, **comparison.without) if comparison.without else stack
    ours, theirs = shipped(stack), shipped(other) if comparison.without else plain(stack, **comparison.rival)
    with stack.redis_server(), other.redis_server() if comparison.without else nullcontext():
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


def _pair(comparison: Comparison, ours: tuple[Stack, Side], theirs: tuple[Stack, Side]) -> tuple[float, float]:
    pair = (comparison.measure(*ours), comparison.measure(*theirs))
    print(f"{comparison.figure}: {' against '.join(map(comparison.tells, pair))}", flush=True)
    return pair
