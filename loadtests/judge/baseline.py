"""Runs before and runs after: what has changed beyond the noise.

A verdict needs at least five runs on either side, and is an interval (shift.py), never a difference of two numbers. At 99 %
and five runs each, a change is named when all runs after lie on one side of all runs before: by chance once in 252
measures on either side. A run of many kinds of tasks has ninety measures, so one is named now and then where nothing has
changed; what fails a campaign is only what has an objective.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from statistics import median
from typing import Any

from loadtests.judge.measures import MEASURES, OF_TASKS, Run
from loadtests.judge.objectives import amount
from loadtests.judge.shift import interval
from loadtests.record import Record

Key = tuple[str, str | None]  # measure, task; None is all together
Measures = Mapping[Key, float]

RUNS = 5  # on either side; with four, no two samples are apart at this level
LEVEL = 0.99
EFFECT = 0.05  # of the value before: a smaller change is told from none, and does not matter
# What may be 0 is compared by difference, in its unit: the smallest that matters.
DIFFERENCES = {"error_rate": 0.001, "lost": 0.0, "drained_within": 1.0}
BETTER_HIGH = ("throughput",)


class Outcome(Enum):
    """What became of a measure."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "no change beyond the noise"
    FEW = "too few runs"


@dataclass(frozen=True)
class Change:
    """A measure before and after."""

    measure: str
    task: str | None
    before: float  # median, in the unit of the measure; NaN where there is none
    after: float
    low: float  # of the interval of after/before, or of after - before where `relative` is false; NaN: too few runs
    high: float
    relative: bool
    outcome: Outcome
    runs: tuple[int, int]

    def __str__(self) -> str:
        """In words: "end_to_end_p95 of short is worse: 0.2 s, was 0.1 s; 1.8 to 2.1 times, 5 and 5 runs"."""
        name = f"{self.measure} of {self.task}" if self.task else self.measure
        runs = f"{self.runs[0]} and {self.runs[1]} runs"
        if self.outcome is Outcome.FEW:
            return f"{name}: {self.outcome.value} for a verdict: {runs}, and {RUNS} each are needed"
        unit = MEASURES[self.measure].unit
        now, was = (amount(value, unit) for value in (self.after, self.before))
        way = "{:.3g} to {:.3g} times" if self.relative else "{:+.3g} to {:+.3g}"
        span = way.format(self.low, self.high)
        verb = "has" if self.outcome is Outcome.SAME else "is"
        return f"{name} {verb} {self.outcome.value}: {now}, was {was}; {span} ({LEVEL:.0%}), {runs}"


def measures(record: Record) -> dict[Key, float]:
    """Return all that could be measured in a run; infinite where it never came."""
    run = Run(record)
    tasks: list[str | None] = [None, *run.tasks]
    keys = [(measure, task) for measure in MEASURES for task in (tasks if measure in OF_TASKS else tasks[:1])]
    found = {key: run.measured(*key).value for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def compare(before: Sequence[Measures], after: Sequence[Measures]) -> list[Change]:
    """Compare runs with runs, measure by measure; those that are worse first.

    Args:
        before: `measures` of each run of the baseline.
        after: of each new run.
    """
    keys = {key: None for run in (*before, *after) for key in run}
    changes = [
        _change(key, [run[key] for run in before if key in run], [run[key] for run in after if key in run])
        for key in keys
    ]
    return sorted(changes, key=lambda change: list(Outcome).index(change.outcome))


def _change(key: Key, before: list[float], after: list[float]) -> Change:
    measure, task = key
    relative = measure not in DIFFERENCES
    was, now = (median(values) if values else math.nan for values in (before, after))
    low = high = math.nan
    outcome = Outcome.FEW
    if min(len(before), len(after)) >= RUNS:
        low, centre, high = interval(before, after, relative=relative, level=LEVEL)
        outcome = _outcome(measure, low, centre, high)
        if relative:
            low, high = _times(low), _times(high)
    return Change(measure, task, was, now, low, high, relative, outcome, (len(before), len(after)))


def _times(logarithm: float) -> float:
    """Return how many times as much a logarithm says; infinity where no float holds it."""
    try:
        return math.exp(logarithm)
    except OverflowError:
        return math.inf


def _outcome(measure: str, low: float, centre: float, high: float) -> Outcome:
    if measure in BETTER_HIGH:
        low, centre, high = -high, -centre, -low
    if measure in DIFFERENCES:
        up = down = DIFFERENCES[measure]
    else:  # of what is better high, the signs are turned: 5 % less is worse
        up, down = math.log1p(EFFECT), -math.log1p(-EFFECT)
        if measure in BETTER_HIGH:
            up, down = down, up
    if low > 0 and centre >= up:
        return Outcome.WORSE
    if high < 0 and centre <= -down:
        return Outcome.BETTER
    return Outcome.SAME


@dataclass(frozen=True)
class Kept:
    """What is kept of a run in a baseline."""

    date: str
    command: str
    measures: dict[Key, float]


@dataclass(frozen=True)
class Baseline:
    """Runs that later ones are held against."""

    inventory: str
    profile: dict[str, Any]  # as JSON: runs of another workload do not compare
    runs: tuple[Kept, ...]

    @classmethod
    def of(cls, records: Sequence[Record]) -> Baseline:
        """Return a baseline of repeated runs.

        Raises:
            ValueError: if there are none, or they are not of one workload on one inventory.
        """
        if not records:
            raise ValueError("a baseline needs runs: there are none")
        first = records[0]
        profile = first.profile.model_dump(mode="json")
        for record in records[1:]:
            if (record.inventory, record.profile) != (first.inventory, first.profile):
                raise ValueError(
                    f"a baseline is of one workload on one inventory: {record.profile.name} on {record.inventory} of "
                    f"{record.date} differs from {first.profile.name} on {first.inventory} of {first.date}"
                )
        runs = tuple(Kept(record.date, record.command, measures(record)) for record in records)
        return cls(first.inventory, profile, runs)

    def compare(self, after: Sequence[Record]) -> list[Change]:
        """Compare new runs with those of the baseline.

        Raises:
            ValueError: if they are of another workload or inventory.
        """
        new = Baseline.of(after)
        if new.inventory != self.inventory:
            raise ValueError(
                f"the baseline is of {self.inventory}, and the runs are of {new.inventory}: make a baseline of its own"
            )
        if new.profile != self.profile:
            raise ValueError(
                f"the workload {new.profile['name']} is not what it was when the baseline was made: make a new baseline"
            )
        return compare([run.measures for run in self.runs], [run.measures for run in new.runs])

    def write(self, path: Path) -> None:
        """Write it as JSON, which has no infinity: there it is the text "inf"."""
        runs = [
            {**asdict(run), "measures": [[*key, _told(value)] for key, value in run.measures.items()]}
            for run in self.runs
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        said = {"inventory": self.inventory, "profile": self.profile, "runs": runs}
        path.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Return that of a file.

        Raises:
            ValueError: if the file is none.
            OSError: if it cannot be read.
        """
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            runs = tuple(
                Kept(run["date"], run["command"], {(name, task): float(value) for name, task, value in run["measures"]})
                for run in said["runs"]
            )
            return cls(said["inventory"], said["profile"], runs)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no baseline: make a new one, or correct the path") from error


def _told(value: float) -> float | str:
    return value if math.isfinite(value) else "inf"
