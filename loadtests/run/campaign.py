"""Runs of one workload on one deployment, and the files that they leave."""

from __future__ import annotations

import sys
from collections.abc import Sequence
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
FILES = (LOAD, PAGE, REPORT, LOG, FIGURES, JUNIT)  # of a run


def campaign(asked: Asked, folder: Path, runs: int, *, baseline: bool) -> int:
    """Run a workload, once or again and again, tell what became of it, and return the exit code.

    A run after which no further one makes sense is the last: its generator was too slow, or it left tasks behind.

    Args:
        asked: what is run.
        folder: where the files go; of several runs, each has a folder in it.
        runs: how many.
        baseline: keep these runs as those that later ones are held against.

    Raises:
        NotPossible: if a run cannot be done, or fewer could be than were asked.
    """
    before = None if baseline else _before(asked, folder / BASELINE)
    places = [folder / f"run-{number}" for number in range(1, runs + 1)] if runs > 1 else [folder]
    _clear(folder)
    records: list[Record] = []
    for number, place in enumerate(places, start=1):
        if runs > 1:
            print(f"run {number} of {runs}")
        record = _run(asked, place)
        records.append(record)
        if record.figures.complaint:
            break
        tell(record)
        if record.drained is None:
            break
    judged = [record for record in records if not record.figures.complaint]
    changes = before.compare(judged) if before and judged else []
    demanded = [change for change in changes if (change.measure, change.task) in asked.demanded]
    for place, record in zip(places, records, strict=False):
        if not record.figures.complaint:
            write_junit(place / JUNIT, record, demanded if record is judged[-1] else ())
        write_report(record, place, [one for one in judged if one is not record])
    tell_changes(changes)
    if baseline and len(judged) == runs:
        Baseline.of(judged).write(folder / BASELINE)
        print(f"{folder / BASELINE}: {runs} runs that later ones are held against")
    print(", ".join(str(file) for file in _files(places[len(records) - 1])))
    return _code(records, broken(judged), worse(demanded), runs)


def _code(records: Sequence[Record], broken: str, worse: str, runs: int) -> int:
    """Say what has to be said, and return the exit code: what was found broken stays so, whatever came afterwards."""
    slow = records[-1].figures.complaint
    for said in filter(None, (broken, worse, slow)):
        print(said, file=sys.stderr)
    if broken or worse:
        return BROKEN
    if slow:
        return SATURATED
    if len(records) < runs:
        raise NotPossible(
            f"{len(records)} of {runs} runs were done: the last left tasks behind, which a further one would have to do, "
            "too. Ask for less, or give the queues more workers; no baseline was kept."
        )
    return KEPT


def _clear(folder: Path) -> None:
    """Delete what a campaign before has left, single or of several runs: it must not pass for this one's."""
    for place in (folder, *folder.glob("run-*")):
        for name in FILES:
            (place / name).unlink(missing_ok=True)


def _run(asked: Asked, folder: Path) -> Record:
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


def _files(folder: Path) -> list[Path]:
    """Return what there is to look at."""
    return [folder / name for name in FILES if (folder / name).exists()]
