"""What is being proven, line by line, and the figures of the run for docs/promises.md."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from integration_tests.promise import Promise, promise_of


class Progress:
    """A plugin: tells each promise as it is proven, and keeps the worst figure of each."""

    def __init__(self, config: pytest.Config, file: Path) -> None:
        """Write to `file` at the end."""
        self._config = config
        self._file = file
        self._promises: dict[str, Promise] = {}
        self._rows: dict[str, dict[str, Any]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember what each test proves."""
        for item in session.items:
            found = promise_of(item)
            if found:
                self._promises[item.nodeid] = found

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say what comes."""
        promise = self._promises.get(nodeid)
        if promise:
            self._say(f"proving: {promise.says} [{nodeid.partition('[')[2] or promise.fault}".rstrip("]") + "]")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Say what came of it."""
        promise = self._promises.get(report.nodeid)
        if not promise or report.when != "teardown":
            return
        said = dict(report.user_properties)
        if "broken" in said:
            self._say(f"  breaks, as it must: {said['broken']}")
        elif "figure" in said:
            self._say(f"  {said['figure']:g} {promise.unit} (promised: {promise.required}) {said['note']}".rstrip())
            self._keep(promise, float(str(said["figure"])), str(said["note"]))

    def pytest_sessionfinish(self) -> None:
        """Write the figures; those of promises that this run left out stay."""
        if self._rows:
            before = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
            self._file.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps({**before, **self._rows}, indent=2, sort_keys=True)
            self._file.write_text(text + "\n", encoding="utf-8")

    def _keep(self, promise: Promise, figure: float, note: str) -> None:
        row = self._rows.setdefault(
            promise.id, {"figure": figure, "note": note, "cases": 0, "date": time.strftime("%Y-%m-%d")}
        )
        row["cases"] += 1
        worse = min if promise.at_most is None else max
        if worse(row["figure"], figure) == figure:
            row.update(figure=figure, note=note)

    def _say(self, text: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter and self._config.get_verbosity() >= 0:
            reporter.ensure_newline()
            reporter.write_line(text)
