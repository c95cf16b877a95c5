"""What is seen while a run goes on: in a terminal a table that changes, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from drill.columns import table
from loadtests.judge.objectives import LATER, amount
from loadtests.record import Sample, Verdict

EVERY = 5.0  # seconds from a plain line to the next
MIB = 1024 * 1024


class Telling:
    """Tells how far a run is. Any thread may say something."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to a stream, by default standard output."""
        self._console = Console(file=stream or sys.stdout, highlight=False)
        self._live: Live | None = None
        self._told = 0.0

    def __enter__(self) -> Telling:
        """Begin to show."""
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        if self._live:
            self._live.stop()
            self._live = None

    def say(self, text: str) -> None:
        """Say something that stays."""
        self._console.print(Text(text), soft_wrap=True)

    def tell(
        self, live: Mapping[str, float], total: float, sample: Sample | None, verdicts: Sequence[Verdict] = ()
    ) -> None:
        """Tell how it stands.

        Args:
            live: what the generator knows.
            total: seconds that tasks arrive.
            sample: what was seen last.
            verdicts: the objectives so far.
        """
        if self._live:
            self._live.update(Group(Text(line(live, total, sample)), _states(verdicts)))
        elif time.monotonic() >= self._told + EVERY:
            self._told = time.monotonic()
            broken = [verdict.objective for verdict in verdicts if not verdict.kept]
            self.say(line(live, total, sample) + (f"; broken so far: {', '.join(broken)}" if broken else ""))


def line(live: Mapping[str, float], total: float, sample: Sample | None) -> str:
    """Return how it stands, in a line: of rate and percentiles those of the last seconds."""
    parts = [f"{live['second']:.0f}/{total:.0f} s", f"{live['rate']:.1f} tasks/s"]
    parts += [f"p50 {live['p50']:.0f} ms", f"p95 {live['p95']:.0f} ms"]
    if sample:
        waiting = ", ".join(f"{queue} {count}" for queue, count in sample.backlog.items() if count)
        parts += [f"waiting: {waiting or 'none'}, held {sample.unacked}"]
        parts += [f"Redis {sample.redis_memory / MIB:.1f} MiB", f"workers {sum(sample.workers.values()) / MIB:.0f} MiB"]
    parts += [f"failed {live['failed'] - live['lost']:.0f}", f"lost {live['lost']:.0f}"]
    return "  ".join(parts)


def _states(verdicts: Sequence[Verdict]) -> Table:
    shape = table("", "objective", ">so far")
    for verdict in verdicts:
        if verdict.value is None:
            state = Text("-", style="dim")
        else:
            state = Text("kept", style="green") if verdict.kept else Text("broken", style="bold red")
        told = LATER if verdict.value is None else amount(verdict.value, verdict.unit)
        shape.add_row(state, Text(verdict.objective), Text(told))
    return shape
