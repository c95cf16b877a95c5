"""What generators have measured: per second of the schedule, kind and task, how long it took how often.

Plain data without Locust: generators send it to their master, judges and reports read it.
"""

from __future__ import annotations

import json
import math
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PUBLISH, WAIT, RUN, WHOLE = "publish", "queue wait", "run time", "end-to-end"
LOST = "lost"  # begins the error of a task that had no result in time
DIGITS = 3  # of a time that are kept: an error of 0.5 % at most
# A time below one of these powers, in milliseconds, times the scale in its place is a whole number of so many digits.
POWERS = [10.0**power for power in range(-2, 6)]
SCALES = [10.0 ** (DIGITS - power) for power in range(-2, 7)]

Key = tuple[int, str, str]  # second since time 0, kind, task


def rounded(milliseconds: float) -> float:
    """Return a time with so many digits as are kept.

    By arithmetic: a generator does this four times per task, and a format takes twice as long.
    """
    if milliseconds <= 0:
        return 0.0
    scale = SCALES[bisect(POWERS, milliseconds)]
    return int(milliseconds * scale + 0.5) / scale


@dataclass
class Cell:
    """A kind of time of a kind of task, in one second."""

    times: Counter[float] = field(default_factory=Counter)  # milliseconds → how often
    errors: Counter[str] = field(default_factory=Counter)  # of tasks whose time does not count


@dataclass
class Figures:
    """A run's measurements. Seconds are those in which a task was due, so a stall is not hidden."""

    began: float = 0.0  # time 0 of the schedule, seconds since the epoch
    cells: defaultdict[Key, Cell] = field(default_factory=lambda: defaultdict(Cell))
    ended: Counter[int] = field(default_factory=Counter)  # second → tasks that came to a good end in it
    complaint: str = ""  # why these figures are the generator's, and not the system's

    def took(self, second: int, kind: str, task: str, milliseconds: float) -> float:
        """Count a time; return it with as many digits as are kept."""
        kept = rounded(milliseconds)
        self.cells[second, kind, task].times[kept] += 1
        return kept

    def failed(self, second: int, task: str, error: str) -> None:
        """Count a task that has no good end."""
        self.cells[second, WHOLE, task].errors[error] += 1

    def add(self, other: Figures) -> None:
        """Take in those of another generator, or of a later moment."""
        self.began = self.began or other.began
        self.complaint = self.complaint or other.complaint
        self.ended.update(other.ended)
        for key, cell in other.cells.items():
            self.cells[key].times.update(cell.times)
            self.cells[key].errors.update(cell.errors)

    # -- reading them

    def cells_of(self, kind: str, task: str | None = None, since: float = 0) -> Iterator[Cell]:
        """Yield the cells of a kind; of a task, or of all; from a second on."""
        for (second, of_kind, of_task), cell in self.cells.items():
            if of_kind == kind and task in (None, of_task) and second >= since:
                yield cell

    def times(self, kind: str, task: str | None = None, since: float = 0) -> Counter[float]:
        """Return milliseconds → how often."""
        found: Counter[float] = Counter()
        for cell in self.cells_of(kind, task, since):
            found.update(cell.times)
        return found

    def errors(self, task: str | None = None, since: float = 0) -> Counter[str]:
        """Return error → how often, lost ones among them."""
        found: Counter[str] = Counter()
        for cell in self.cells_of(WHOLE, task, since):
            found.update(cell.errors)
        return found

    @property
    def tasks(self) -> list[str]:
        """The kinds of tasks that came to an end, sorted."""
        return sorted({task for _, kind, task in self.cells if kind == WHOLE})

    # -- as JSON

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "began": self.began,
            "complaint": self.complaint,
            "ended": sorted(self.ended.items()),
            "cells": [
                [*key, sorted(cell.times.items()), sorted(cell.errors.items())] for key, cell in self.cells.items()
            ],
        }

    @classmethod
    def of(cls, said: dict[str, Any]) -> Figures:
        """Return what `as_dict` returned."""
        figures = cls(said["began"], complaint=said["complaint"])
        figures.ended.update({int(second): count for second, count in said["ended"]})
        for second, kind, task, times, errors in said["cells"]:
            figures.cells[second, kind, task] = Cell(Counter(dict(times)), Counter(dict(errors)))
        return figures

    @classmethod
    def read(cls, path: Path) -> Figures:
        """Return those of a file."""
        return cls.of(json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Write them, at once: who reads never sees half of them."""
        half = path.with_suffix(".half")
        half.write_text(json.dumps(self.as_dict()), encoding="utf-8")
        half.replace(path)


def percentile(times: Counter[float], share: float) -> float:
    """Return the time that a share of them does not exceed, in milliseconds; NaN where there are none."""
    left = share * times.total()
    for time in sorted(times):
        left -= times[time]
        if left <= 0:
            return time
    return math.nan


def mean(times: Counter[float]) -> float:
    """Return the mean, in milliseconds; NaN where there are none."""
    return sum(time * count for time, count in times.items()) / times.total() if times else math.nan


def lost(errors: Iterable[tuple[str, int]]) -> int:
    """Return how many of the errors are tasks without a result."""
    return sum(count for error, count in errors if error.startswith(LOST))
