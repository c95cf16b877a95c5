"""Keeps what a generator measures second by second, for judges and reports: Locust's own history knows no single task.

Each process keeps its own; workers send theirs to the master with Locust's reports, and the master writes the file.
"""

from __future__ import annotations

import json
import os
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import gevent
from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests.figures import WHOLE, Figures, lost, percentile
from loadtests.generator.call import EPOCH, clock

FILE = "LOAD_FIGURES"  # names the file; beside it, `live.json` tells of the last seconds
WINDOW = 5  # seconds that are told of

_series: weakref.WeakKeyDictionary[Environment, Series] = weakref.WeakKeyDictionary()


class Series:
    """What one process has measured, or all of them together."""

    def __init__(self) -> None:
        """Begin now, unless `begin` is called."""
        self.figures = Figures()
        self._start = clock()
        # of the whole run: `live` must not go through all seconds of it in each
        self._tasks: set[str] = set()
        self._errors: Counter[str] = Counter()

    def begin(self, start: float) -> None:
        """Set time 0, by `clock`."""
        self._start = start
        self.figures.began = start + EPOCH

    def took(self, kind: str, task: str, due: float, seconds: float) -> float:
        """Count a time of a task that was due then, by `clock`; return it in milliseconds, as it was counted."""
        return self.figures.took(int(due - self._start), kind, task, 1000 * seconds)

    def failed(self, task: str, due: float, error: str) -> None:
        """Count a task without a good end."""
        self._errors[error] += 1
        self.figures.failed(int(due - self._start), task, error)

    def ended(self, task: str, now: float) -> None:
        """Count a good end."""
        self._tasks.add(task)
        self.figures.ended[int(now - self._start)] += 1

    def add(self, figures: Figures) -> None:
        """Take in what another process has measured since the last time."""
        self._tasks.update(figures.tasks)
        self._errors.update(figures.errors())
        self.figures.add(figures)

    def take(self) -> dict[str, Any]:
        """Return what there is since the last time, as plain data."""
        taken, self.figures = self.figures, Figures(self.figures.began)
        return taken.as_dict()

    def live(self) -> dict[str, float]:
        """Return what is known of the last seconds that are over, and of the whole run."""
        now = int(clock() - self._start)
        times: Counter[float] = Counter()
        for second in range(now - WINDOW, now):
            for task in self._tasks:
                if cell := self.figures.cells.get((second, WHOLE, task)):
                    times.update(cell.times)
        ended = self.figures.ended
        return {
            "began": self.figures.began,
            "second": now,
            "ended": ended.total(),
            "failed": self._errors.total(),
            "lost": lost(self._errors.items()),
            "rate": sum(ended[second] for second in range(now - WINDOW, now)) / WINDOW,
            "p50": percentile(times, 0.5) if times else 0.0,
            "p95": percentile(times, 0.95) if times else 0.0,
        }


def series_of(environment: Environment) -> Series:
    """Return the measurements of this process, made at the first call."""
    if environment not in _series:
        _series[environment] = Series()
    return _series[environment]


@events.init.add_listener  # type: ignore[untyped-decorator]
def _install(environment: Environment, **_: Any) -> None:
    series = series_of(environment)
    if isinstance(environment.runner, WorkerRunner):
        environment.events.report_to_master.add_listener(lambda data, **_: data.update(figures=series.take()))
        return
    if isinstance(environment.runner, MasterRunner):
        environment.events.worker_report.add_listener(
            lambda data, **_: series.add(Figures.of(data["figures"])) if "figures" in data else None
        )
    if FILE in os.environ:
        file = Path(os.environ[FILE])
        gevent.spawn(_tell, series, file.with_name("live.json"))
        environment.events.quit.add_listener(lambda **_: series.figures.write(file))


def _tell(series: Series, file: Path) -> None:
    while True:
        gevent.sleep(1.0)
        half = file.with_suffix(".part")
        half.write_text(json.dumps(series.live()), encoding="utf-8")
        half.replace(file)
