"""What a run came to, for people: a line per objective, and a line that names what is broken."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from drill.columns import show, table
from loadtests.judge.baseline import LEVEL, RUNS, Change, Outcome
from loadtests.judge.objectives import amount
from loadtests.record import Record, Verdict


def tell(record: Record) -> None:
    """Print what became of each objective, and of each fault."""
    shapes = [_objectives(record.verdicts)]
    if record.faults:
        shapes.append(_faults(record))
    show(*shapes)


def broken(records: Sequence[Record]) -> str:
    """Return what is broken, in a line; empty where all is kept."""
    found = dict.fromkeys(
        f"{verdict.objective} ({amount(verdict.value, verdict.unit)})"
        for record in records
        for verdict in record.verdicts
        if not verdict.kept
    )
    return f"BROKEN in {records[0].profile.name}: {'; '.join(found)}" if found else ""


def tell_changes(changes: Sequence[Change]) -> None:
    """Print what has changed since the baseline."""
    if changes and all(change.outcome is Outcome.FEW for change in changes):
        print(f"The baseline is not compared with: {RUNS} runs are needed on either side, say RUNS={RUNS}.")
        return
    told = [change for change in changes if change.outcome in (Outcome.WORSE, Outcome.BETTER)]
    for change in told:
        print(change)
    if changes and not told:
        print(f"No measure has changed since the baseline, at {LEVEL:.0%}.")


def worse(changes: Sequence[Change]) -> str:
    """Return what is worse than the baseline, in a line; empty where nothing is."""
    found = [str(change) for change in changes if change.outcome is Outcome.WORSE]
    return f"WORSE than the baseline: {'; '.join(found)}" if found else ""


def _objectives(verdicts: Sequence[Verdict]) -> Table:
    shape = table("", "objective", ">figure", "")
    for verdict in verdicts:
        state = Text("kept", style="green") if verdict.kept else Text("BROKEN", style="bold red")
        shape.add_row(state, Text(verdict.objective), amount(verdict.value, verdict.unit), Text(verdict.note))
    return shape


def _faults(record: Record) -> Table:
    shape = table("fault", "of", ">at", ">in force")
    for fault in record.faults:
        shape.add_row(fault.name, Text(fault.place), f"{fault.at:.1f} s", f"{fault.until - fault.at:.1f} s")
    return shape
