"""A verdict for people, and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, TextIO

from rich.table import Table
from rich.text import Text

from drill.columns import seconds, show, table
from drill.verdict import Duplicate, Fault, Latency, Lost, Verdict

MANY = 8  # ids that are told; the JSON has them all


def as_dict(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as JSON values: its fields by their names, times in seconds."""
    return asdict(verdict)


def tell(verdict: Verdict, stream: TextIO | None = None) -> None:
    """Print the counts, a line for each fault, and what was lost, phantom or doubled by its id.

    Args:
        verdict: what is shown.
        stream: standard output by default.
    """
    show(counts(verdict), *([faults(verdict.faults)] if verdict.faults else []), stream=stream)


def counts(verdict: Verdict) -> Table:
    """Return a line for each figure, with the first ids of what should not be there."""
    shape = table("", ">figure", "which")
    told = verdict.latency
    rows: list[tuple[str, object, str]] = [
        ("submitted", verdict.submitted, ""),
        ("acknowledged", verdict.acknowledged, ""),
        ("in doubt", len(verdict.doubtful), f"{len(verdict.doubtful_ran)} ran" if verdict.doubtful else ""),
        ("started", verdict.started, f"{verdict.failures} runs failed" if verdict.failures else ""),
        ("finished", verdict.finished, ""),
        ("lost", len(verdict.lost), _some(map(_laid, verdict.lost))),
        ("duplicated", len(verdict.duplicated), _some(map(_laid, verdict.duplicated))),
        ("phantom", len(verdict.phantom), _some(verdict.phantom)),
        ("late", len(verdict.late), _some(verdict.late)),
        ("reordered", len(verdict.reordered), _some(verdict.reordered)),
        ("latency p50", seconds(told.p50 if told.count else None), f"of {told.count}, from the intended submit"),
        ("latency p95", seconds(told.p95 if told.count else None), ""),
        ("latency p99", seconds(told.p99 if told.count else None), ""),
        ("latency max", seconds(told.max if told.count else None), ""),
        ("sender behind", seconds(verdict.sender_lag), "at worst"),
    ]
    for name, figure, which in rows:
        shape.add_row(name, str(figure), Text(which))
    return shape


def faults(rows: Sequence[Fault]) -> Table:
    """Return a line for each fault: how long, the latency through it, consuming again after, what it cost."""
    shape = table("fault", "id", ">in force", ">p50", ">p99", ">max", ">again", ">after heal", ">lost", ">duplicated")
    for row in rows:
        shape.add_row(
            Text(row.name),  # not a string: in that, brackets would be colours
            Text(row.id if row.id != row.name else ""),
            seconds(None if row.healed is None else row.healed - row.began),
            *_figures(row.latency),
            seconds(row.recovered),
            seconds(row.recovered_after_heal),
            str(row.lost),
            str(row.duplicated),
        )
    return shape


def _figures(latency: Latency) -> list[str]:
    """Return p50, p99 and max, where an entry was there to have one."""
    return [seconds(figure if latency.count else None) for figure in (latency.p50, latency.p99, latency.max)]


def _laid(what: Lost | Duplicate) -> str:
    """Return the entry and the fault that it is laid to."""
    where = ", started" if isinstance(what, Lost) and what.started else ""
    return f"{what.entry} ({what.fault or 'no fault'}{where})"


def _some(entries: Iterable[str]) -> str:
    """Return the first entries, and how many more there are."""
    known = list(entries)
    more = f" and {len(known) - MANY} more" if len(known) > MANY else ""
    return ", ".join(known[:MANY]) + more
