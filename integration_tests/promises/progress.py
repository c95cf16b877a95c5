"""What is being proven, line by line, and the figures of the run for docs/promises.md."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from integration_tests.promise import Promise


class Progress:
    """A plugin: tells each promise as it is proven, and keeps the worst figure of each.

    With pytest-xdist it lives in the process that collects the reports: what it needs travels with them.
    """

    def __init__(self, config: pytest.Config, file: Path) -> None:
        """Write to `file` at the end."""
        self._config = config
        self._file = file
        self._rows: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Say what came of a test."""
        told = dict(report.user_properties)
        if report.when != "teardown" or "promise" not in told:
            return
        promise: dict[str, Any] = json.loads(str(told["promise"]))
        self._say(f"{promise['says']} [{report.nodeid.partition('[')[2].rstrip(']') or promise['fault']}]")
        if "broken" in told:
            self._say(f"  breaks, as it must: {told['broken']}")
        elif "figure" in told:
            self._say(
                f"  {told['figure']:g} {promise['unit']} (promised: {promise['required']}) {told['note']}".rstrip()
            )
            self._keep(promise, float(str(told["figure"])), str(told["note"]))

    def pytest_sessionfinish(self) -> None:
        """Write the figures; those of promises that this run left out stay."""
        if self._rows:
            before = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
            self._file.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({**before, **self._rows}, indent=2, sort_keys=True)
            self._file.write_text(text + "\n", encoding="utf-8")

    def _keep(self, promise: dict[str, Any], figure: float, note: str) -> None:
        fresh = {"figure": figure, "note": note, "cases": 0, "date": time.strftime("%Y-%m-%d")}
        row = self._rows.setdefault(promise["id"], fresh)
        row["cases"] += 1
        worse = min if promise["more_is_better"] else max
        if worse(row["figure"], figure) == figure:
            row.update(figure=figure, note=note)

    def _say(self, text: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter and self._config.get_verbosity() >= 0:
            reporter.ensure_newline()
            reporter.write_line(text)


def travelling(promise: Promise) -> str:
    """Return what a report carries of its promise."""
    return json.dumps(
        {
            "id": promise.id,
            "says": promise.says,
            "fault": promise.fault,
            "unit": promise.unit,
            "required": promise.required,
            "more_is_better": promise.at_most is None,
        }
    )
