"""What a drill came to: a line per fault, a line per kind of fault, and the closing line."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True)
class Cost:
    """What faults of one kind cost together."""

    fault: str
    times: int
    lost: int
    twice: int
    median: float | None  # seconds from the heal until tasks were consumed again
    worst: float | None


def costs(result: Result) -> list[Cost]:
    """Return a line for each kind of fault."""
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in result.outcomes:
        by_kind[outcome.felt.name].append(outcome)
    found = []
    for name, outcomes in sorted(by_kind.items()):
        again = [after for outcome in outcomes if (after := outcome.felt.recovered_after_heal) is not None]
        lost, twice = (sum(getattr(of.felt, what) for of in outcomes) for what in ("lost", "duplicated"))
        found.append(Cost(name, len(outcomes), lost, twice, median(again) if again else None, max(again, default=None)))
    return found


def _kinds(result: Result) -> Table:
    """Return rates with their intervals: what one fault of a kind costs."""
    shape = _table("fault", ">times", "lost", ">twice", ">again: median", ">worst")
    for cost in costs(result):
        lost = str(rate(cost.lost, cost.times))
        shape.add_row(cost.fault, str(cost.times), lost, str(cost.twice), _seconds(cost.median), _seconds(cost.worst))
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
