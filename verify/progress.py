"""What is seen while a run goes on."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from verify.board import counts
from verify.model import Row, Status
from verify.report import summary


class Telling:
    """Progress: a moving line in a terminal, a line per finished group elsewhere."""

    def __init__(self, started: float, stream: TextIO | None = None) -> None:
        """Write to a stream, by default standard error.

        Args:
            started: when the command began, monotonic seconds.
            stream: standard error by default.
        """
        self.console = Console(file=stream or sys.stderr)
        self.rows: list[Row] = []
        self._started = started
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(pulse_style="cyan"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=self.console, transient=True)
        self._live = self.console.is_terminal
        self._task = self._progress.add_task("reading the inventory", total=None) if self._live else None

    def __enter__(self) -> Telling:
        """Show the line."""
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        if self._live:
            self._progress.stop()

    def row(self, row: Row) -> None:
        """Take note of a row."""
        self.rows.append(row)
        if self._task is not None:
            failed = counts(self.rows)[Status.FAILED]
            told = f"{len(self.rows)} asked" + (f", [red]{failed} failed[/red]" if failed else "")
            self._progress.update(self._task, description=f"{told}; {row.promise.group}: {row.subject}")

    def finished(self, group: str) -> None:
        """Say how a group came out."""
        rows = [row for row in self.rows if row.promise.group == group]
        if rows and not self._live:
            self.console.print(
                f"{group}: {summary(rows)} ({time.monotonic() - self._started:.1f} s)", highlight=False, soft_wrap=True
            )
