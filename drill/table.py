"""What a drill came to: a line per fault, a line per kind of fault, and the closing line."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from drill.campaign import Outcome, Result
from drill.rate import rate
from verify.report import unbroken


def tell(result: Result) -> None:
    """Print all of it."""
    console = Console(highlight=False)
    for shape in (_faults(result), _kinds(result)):
        if console.is_terminal:
            console.print(shape)
        else:
            print(unbroken(shape))
        print()
    for complaint in result.complaints:
        print(f"FAILED {complaint}")
    print(closing(result))


def closing(result: Result) -> str:
    """Return the last line."""
    bad = sum(not outcome.kept for outcome in result.outcomes) + len(result.complaints)
    return f"{result.verdict}; {len(result.outcomes)} faults, {bad} broken promise{'s' * (bad != 1)}"


def as_dict(result: Result) -> dict[str, Any]:
    """Return the result as JSON values."""
    rows = [
        {
            **asdict(outcome.felt),
            "service": outcome.planned.name,
            "lasts": outcome.planned.lasts,
            "may_lose": outcome.may_lose,
            "within": outcome.planned.fault.within,
            "complaints": outcome.complaints,
        }
        for outcome in result.outcomes
    ]
    return {"kept": result.kept, "complaints": result.complaints, "faults": rows, "verdict": asdict(result.verdict)}


def _faults(result: Result) -> Table:
    shape = _table(
        "", "fault", "service", ">in force", ">lost", ">may lose", ">twice", ">again after", ">longest task", ""
    )
    for outcome in result.outcomes:
        felt = outcome.felt
        shape.add_row(
            _status(outcome.kept),
            felt.name,
            Text(outcome.planned.name),
            _seconds(None if felt.healed is None else felt.healed - felt.began),
            str(felt.lost),
            str(outcome.may_lose),
            str(felt.duplicated),
            _seconds(felt.recovered_after_heal),
            _seconds(felt.latency.max if felt.latency.count else None),
            Text("; ".join(outcome.complaints)),
        )
    return shape


def _kinds(result: Result) -> Table:
    """Return rates with their intervals: what one fault of a kind costs."""
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in result.outcomes:
        by_kind[outcome.felt.name].append(outcome)
    shape = _table("fault", ">times", "lost", ">twice", ">again: median", ">worst")
    for name, outcomes in sorted(by_kind.items()):
        again = [after for outcome in outcomes if (after := outcome.felt.recovered_after_heal) is not None]
        shape.add_row(
            name,
            str(len(outcomes)),
            str(rate(sum(outcome.felt.lost for outcome in outcomes), len(outcomes))),
            str(sum(outcome.felt.duplicated for outcome in outcomes)),
            _seconds(median(again) if again else None),
            _seconds(max(again, default=None)),
        )
    return shape


def _table(*columns: str) -> Table:
    shape = Table(box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        shape.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", overflow="fold")
    return shape


def _status(kept: bool) -> Text:
    return Text("kept", style="green") if kept else Text("FAILED", style="bold red")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
