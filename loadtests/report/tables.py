"""What the tables of a page say, in words, out of the record of a run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from loadtests.figures import RUN, WAIT, WHOLE, percentile
from loadtests.record import Record, Verdict

MIB = 1024**2


@dataclass(frozen=True)
class Headline:
    """What became of a run."""

    state: str  # kept, missed, void or open
    text: str


def headline(record: Record) -> Headline:
    """Return what became of it, in one sentence."""
    missed = [one for one in record.verdicts if not one.kept]
    if record.figures.complaint:
        return Headline("void", record.figures.complaint)
    if not record.verdicts:
        return Headline("open", "Nothing was demanded of this run.")
    if missed:
        which = "; ".join(f"{one.objective}: {shown(one, one.value)}" for one in missed)
        return Headline("missed", f"{len(missed)} of {_many(record.verdicts)} missed: {which}.")
    return Headline("kept", f"{_many(record.verdicts)} kept.")


def _many(verdicts: Sequence[Verdict]) -> str:
    return f"{len(verdicts)} objective{'s' if len(verdicts) != 1 else ''}"


def shown(verdict: Verdict, value: float | None) -> str:
    """Return a value of a measure with its unit."""
    if value is None or math.isnan(value):
        return "not measured"
    if verdict.unit == "bytes":
        return f"{value / MIB:,.1f} MiB"
    return f"{value:.3g} {verdict.unit}".strip() if abs(value) < 1000 else f"{value:,.0f} {verdict.unit}".strip()


def objectives(record: Record, baseline: Sequence[Record]) -> list[dict[str, str]]:
    """Return a row per objective: what was demanded, what came of it, and what it was in earlier runs."""
    rows = []
    for one in record.verdicts:
        before = [
            old.value
            for run in baseline
            for old in run.verdicts
            if (old.measure, old.task) == (one.measure, one.task) and old.value is not None
        ]
        rows.append(
            {
                "objective": one.objective,
                "value": shown(one, one.value),
                "kept": "kept" if one.kept else "missed",
                "note": one.note,
                "before": _range(one, before),
            }
        )
    return rows


def _range(verdict: Verdict, values: Sequence[float]) -> str:
    """Return the median of some values, and between which they lie."""
    if not values:
        return ""
    text = shown(verdict, median(values))
    if len(values) > 1:
        text += f" ({shown(verdict, min(values))} to {shown(verdict, max(values))}, {len(values)} runs)"
    return text


def tasks(record: Record) -> list[dict[str, str]]:
    """Return a row per kind of task, and one of all together; what was warm-up is left out."""
    figures, since = record.figures, record.profile.warm_up
    rows = []
    for task in [*figures.tasks, *([None] if len(figures.tasks) > 1 else [])]:
        whole, wait, ran = (figures.times(kind, task, since) for kind in (WHOLE, WAIT, RUN))
        rows.append(
            {
                "task": "all" if task is None else task,
                "count": f"{whole.total():,}",
                "failed": f"{figures.errors(task, since).total():,}",
                **{f"p{round(100 * share)}": _time(whole, share) for share in (0.5, 0.95, 0.99)},
                "wait": _time(wait, 0.95),
                "run": _time(ran, 0.5),
            }
        )
    return rows


def _time(times: Counter[float], share: float) -> str:
    value = percentile(times, share)
    return "-" if math.isnan(value) else f"{value:,.3g} ms" if value < 1000 else f"{value / 1000:,.3g} s"


def errors(record: Record) -> list[dict[str, str]]:
    """Return a row per task and error, the most frequent first; those of the warm-up among them."""
    figures = record.figures
    found = Counter({(task, error): count for task in figures.tasks for error, count in figures.errors(task).items()})
    return [{"task": task, "error": error, "count": f"{count:,}"} for (task, error), count in found.most_common()]
