"""Verdicts as JUnit, for CI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loadtests.judge.baseline import Change, Outcome
from loadtests.judge.objectives import amount
from loadtests.record import Record, Verdict
from verify.junit import Case, Status, write


def write_junit(path: Path, record: Record, changes: Sequence[Change] = ()) -> None:
    """Write the verdicts of a run as a test suite, and what changed since the baseline as another.

    A measure that is worse fails; one of too few runs is skipped.
    """
    name = record.profile.name
    suites = {name: [_case(name, verdict) for verdict in record.verdicts]}
    if changes:
        suites[f"{name}, against the baseline"] = [_changed(name, change) for change in changes]
    write(path, "load", suites, started=record.date)


def _case(profile: str, verdict: Verdict) -> Case:
    found = f"{amount(verdict.value, verdict.unit)}" + (f" ({verdict.note})" if verdict.note else "")
    return Case(f"load.{profile}", verdict.objective, "passed" if verdict.kept else "failed", found)


def _changed(profile: str, change: Change) -> Case:
    status: Status = "failed" if change.outcome is Outcome.WORSE else "passed"
    if change.outcome is Outcome.FEW:
        status = "skipped"
    name = f"{change.measure} of {change.task}" if change.task else change.measure
    return Case(f"load.{profile}.baseline", f"{name} is not worse than the baseline", status, str(change))
