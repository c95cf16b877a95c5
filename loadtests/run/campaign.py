"""Runs of one workload on one deployment, and the files that they leave."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.errors import NotPossible
from loadtests.judge.baseline import RUNS, Baseline
from loadtests.judge.junit import write_junit
from loadtests.record import Record
from loadtests.report import PAGE, write_report
from loadtests.run.generate import FIGURES, LOG, REPORT
from loadtests.run.once import Asked, run_once
from loadtests.run.outcome import broken, tell, tell_changes, worse
from loadtests.run.progress import Telling

KEPT, BROKEN, SATURATED = 0, 1, 3
LOAD, JUNIT, BASELINE = "load.json", "junit.xml", "baseline.json"


def campaign(asked: Asked, folder: Path, runs: int, *, baseline: bool) -> int:
    """Run a workload, once or again and again, tell what became of it, and return the exit code.

    Args:
        asked: what is run.
        folder: where the files go; of several runs, each has a folder in it.
        runs: how many.
        baseline: keep these runs as those that later ones are held against.

    Raises:
        NotPossible: if a run cannot be done.
    """
    before = None if baseline else _before(asked, folder / BASELINE)
    records: list[Record] = []
    for number in range(1, runs + 1):
        place = folder / f"run-{number}" if runs > 1 else folder
        if runs > 1:
            print(f"run {number} of {runs}")
        record = _run(asked, place)
        if record.figures.complaint:
            print(record.figures.complaint, file=sys.stderr)
            return SATURATED
        records.append(record)
        tell(record)
        if record.drained is None and number < runs:
            print(f"Run {number} left tasks behind, so no further one is begun: it would have to do them, too.")
            break
    changes = before.compare(records) if before else []
    for number, record in enumerate(records, start=1):
        place = folder / f"run-{number}" if runs > 1 else folder
        write_junit(place / JUNIT, record, changes if number == len(records) else ())
        write_report(record, place, [one for one in records if one is not record])
    tell_changes(changes)
    if baseline and len(records) == runs:
        Baseline.of(records).write(folder / BASELINE)
        print(f"{folder / BASELINE}: {len(records)} runs that later ones are held against")
    print(", ".join(str(file) for file in _files(folder, runs)))
    complaints = [said for said in (broken(records), worse(changes)) if said]
    for said in complaints:
        print(said, file=sys.stderr)
    return BROKEN if complaints else KEPT


def _run(asked: Asked, folder: Path) -> Record:
    for name in (LOAD, JUNIT, PAGE):  # of a run before, which must not pass for this one's
        (folder / name).unlink(missing_ok=True)
    with Telling() as telling:
        record = run_once(asked, folder, telling)
    record.write(folder / LOAD)
    return record


def _before(asked: Asked, file: Path) -> Baseline | None:
    """Return the baseline, if there is one.

    Raises:
        NotPossible: if it is of another workload, or is none; better before the runs than after them.
    """
    if not file.exists():
        return None
    new = f"`{asked.command} RUNS={RUNS} BASELINE=1` makes a new one, or delete it"
    try:
        found = Baseline.read(file)
    except (ValueError, OSError):
        raise NotPossible(f"{file} is no baseline: {new}.") from None
    if found.profile != asked.profile.model_dump(mode="json"):
        raise NotPossible(
            f"{file} is of another workload: {asked.profile.name} has changed since {found.runs[0].date}; {new}."
        )
    return found


def _files(folder: Path, runs: int) -> list[Path]:
    """Return what there is to look at, of the last run."""
    last = folder / f"run-{runs}" if runs > 1 else folder
    names = (LOAD, PAGE, REPORT, LOG, FIGURES, JUNIT)
    return [last / name for name in names if (last / name).exists()]
