"""What a drill came to: a line per fault, a line per kind of fault, and the closing line."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.table import Table
from rich.text import Text

from drill.campaign import Outcome, Result
from drill.columns import seconds, show, table
from drill.rate import rate
from drill.report import counts


def tell(result: Result) -> None:
    """Print a line per fault, a line per kind, and the counts."""
    show(_faults(result), _kinds(result), counts(result.verdict))
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
            "within": outcome.within,
            "complaints": outcome.complaints,
        }
        for outcome in result.outcomes
    ]
    return {"kept": result.kept, "complaints": result.complaints, "faults": rows, "verdict": asdict(result.verdict)}


def _faults(result: Result) -> Table:
    shape = table(
        "", "fault", "service", ">in force", ">lost", ">may lose", ">twice", ">again after", ">longest task", ""
    )
    for outcome in result.outcomes:
        felt = outcome.felt
        shape.add_row(
            _status(outcome.kept),
            felt.name,
            Text(outcome.planned.name),
            _short(None if felt.healed is None else felt.healed - felt.began),
            str(felt.lost),
            str(outcome.may_lose),
            str(felt.duplicated),
            _short(felt.recovered_after_heal),
            _short(felt.latency.max if felt.latency.count else None),
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
    shape = table("fault", ">times", "lost", ">twice", ">again: median", ">worst")
    for cost in costs(result):
        lost = str(rate(cost.lost, cost.times))
        shape.add_row(cost.fault, str(cost.times), lost, str(cost.twice), _short(cost.median), _short(cost.worst))
    return shape


def _short(value: float | None) -> str:
    return seconds(value, digits=1)


def _status(kept: bool) -> Text:
    return Text("kept", style="green") if kept else Text("FAILED", style="bold red")
