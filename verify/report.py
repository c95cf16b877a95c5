"""How a run is told: progress while it runs, a table, hints, and a closing line."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from verify.board import counts
from verify.catalogue import PROMISES
from verify.model import GROUPS, Row, Status

STYLES = {
    Status.PASSED: "green",
    Status.FAILED: "bold red",
    Status.BLOCKED: "yellow",
    Status.SKIPPED: "cyan",
    Status.ACCEPTED: "magenta",
}
WIDE = 1000  # columns of a line that is piped: nothing is broken, blanks at the end are cut
COMMON = 110  # columns of a terminal in which no sentence has to be broken
SUBJECT, SENTENCE = 36, 45  # columns
MANY = 8  # rows that say the same of different subjects are told in one line from here on


def summary(rows: Sequence[Row]) -> str:
    """Return "41 promises kept, 0 failed, 1 skipped"."""
    number = counts(rows)
    kept = number[Status.PASSED]
    parts = [f"{kept} promise{'s' * (kept != 1)} kept", f"{number[Status.FAILED]} failed"]
    parts += [
        f"{number[status]} {status.value}"
        for status in (Status.BLOCKED, Status.SKIPPED, Status.ACCEPTED)
        if number[status]
    ]
    return ", ".join(parts)


def ordered(rows: Sequence[Row]) -> list[Row]:
    """Return the rows in the order of the catalogue, and those of one promise by subject."""
    place = {promise.id: number for number, promise in enumerate(PROMISES)}
    return sorted(rows, key=lambda row: (place[row.promise.id], row.subject))


def folded(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    """Return rows with their subjects; where many subjects came out alike, one row for all of them.

    A fleet of a hundred workers has a thousand rows: those that are not well keep a line of their own.
    """
    alike: dict[tuple[str, Status, str], list[Row]] = {}
    for row in ordered(rows):
        single = row.status in (Status.FAILED, Status.ACCEPTED)
        alike.setdefault(
            (row.promise.id, row.status, row.title if single else row.blocked_by + row.outcome.reason), []
        ).append(row)
    lines: list[tuple[Row, str]] = []
    for same in alike.values():
        if len(same) > MANY:
            lines.append((same[0], f"{same[0].subject} and {len(same) - 1} more"))
        else:
            lines.extend((row, row.subject) for row in same)
    return lines


def table(rows: Sequence[Row], *, width: int = 0) -> Table:
    """Return the rows as a table.

    Args:
        rows: what is shown.
        width: of the terminal, in which long cells go on in the next line; 0 breaks none.
    """
    wrap = bool(width)
    shape = Table(box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    shape.add_column("", no_wrap=True)
    shape.add_column("of", overflow="fold", no_wrap=not wrap, max_width=SUBJECT if wrap else None)
    shape.add_column("promise", overflow="fold", no_wrap=not wrap, min_width=SENTENCE if width >= COMMON else None)
    shape.add_column("figure", overflow="fold", no_wrap=not wrap)
    group = ""
    for row, subject in folded(rows):
        if row.promise.group != group:
            group = row.promise.group
            shape.add_row("", Text(group, style="bold"), Text(GROUPS[group], style="dim"), "")
        status = Text(row.status.value, style=STYLES[row.status])
        shape.add_row(status, Text(subject), Text(row.promise.sentence), Text(row.note))
    return shape


def unbroken(shape: Table) -> str:
    """Return a table as lines for a pipe: none is broken, none ends in blanks."""
    wide = Console(file=io.StringIO(), width=WIDE)
    with wide.capture() as captured:
        wide.print(shape)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def hints(rows: Sequence[Row]) -> list[str]:
    """Return what helps with each failed row."""
    lines = []
    for row in ordered(rows):
        if row.outcome.hint:
            hint = row.outcome.hint
            lines += [
                f"FAILED {row.title}: {row.promise.sentence}",
                f"  found:   {hint.found}",
                f"  look at: {hint.look}",
                f"  type:    {hint.do}",
            ]
    return lines


def tell(rows: Sequence[Row], duration: float, stream: TextIO | None = None) -> None:
    """Print table, hints and the closing line.

    Args:
        rows: what is shown.
        duration: of the run, seconds.
        stream: standard output by default.
    """
    console = Console(file=stream or sys.stdout)
    if console.is_terminal:
        console.print(table(rows, width=console.width))
    else:
        print(unbroken(table(rows)), file=console.file)
    lines = hints(rows)
    for line in ["", *lines, *([""] if lines else []), f"{summary(rows)} in {duration:.1f} s"]:
        console.print(Text(line), soft_wrap=True)
