"""What plots show: lines over the seconds of a run, out of its record."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from loadtests.figures import percentile
from loadtests.generator.arrivals import Schedule
from loadtests.record import Record, Sample, Verdict
from loadtests.schedule import schedule_of

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MOST = 8  # lines of a plot; of more, the smaller ones are one line


@dataclass(frozen=True)
class Line:
    """A line of a plot."""

    name: str
    x: list[float]  # seconds since time 0
    y: list[float]


def percentiles(record: Record, kind: str, task: str | None = None) -> list[Line]:
    """Return p50, p95 and p99 of a kind of time in each second, in seconds; of a task, or of all together."""
    by_second: defaultdict[int, Counter[float]] = defaultdict(Counter)
    for (second, of_kind, of_task), cell in record.figures.cells.items():
        if of_kind == kind and task in (None, of_task) and cell.times:
            by_second[second].update(cell.times)
    seconds = sorted(by_second)
    return [
        Line(name, [float(one) for one in seconds], [percentile(by_second[one], share) / 1000 for one in seconds])
        for name, share in SHARES.items()
        if seconds
    ]


def throughput(record: Record) -> list[Line]:
    """Return, per second, how many tasks came to a good end, how many to none, and how many were to arrive."""
    figures = record.figures
    failed: Counter[int] = Counter()
    for (second, _, _), cell in figures.cells.items():
        failed[second] += cell.errors.total()
    failed = +failed
    schedule = _schedule(record)
    last = max([*figures.ended, *failed, math.ceil(schedule.seconds) - 1 if schedule else -1], default=-1)
    seconds = range(last + 1)

    def line(name: str, of: Callable[[int], float]) -> Line:
        return Line(name, [float(second) for second in seconds], [float(of(second)) for second in seconds])

    lines = [line("ended well", lambda second: figures.ended[second])]
    if schedule:
        lines.append(line("asked for", lambda second: schedule.count(second + 1) - schedule.count(second)))
    if failed:
        lines.append(line("failed or lost, by when they were due", lambda second: failed[second]))
    return lines if seconds else []


def _schedule(record: Record) -> Schedule | None:
    try:
        return schedule_of(record.profile)
    except (OSError, ValueError):  # the trace is no longer there: what was asked cannot be told
        return None


def backlog(record: Record) -> list[Line]:
    """Return the messages that wait in each queue, and those that workers hold."""
    queues = _each(record.samples, lambda sample: sample.backlog, "other queues", missing=0)
    held = Line("held by workers", [one.at for one in record.samples], [float(one.unacked) for one in record.samples])
    return [*queues, held] if record.samples else []


def redis_memory(record: Record) -> list[Line]:
    """Return what the data of Redis take, in bytes."""
    samples = record.samples
    return (
        [Line("used_memory", [one.at for one in samples], [float(one.redis_memory) for one in samples])]
        if samples
        else []
    )


def worker_memory(record: Record) -> list[Line]:
    """Return what each worker process takes with its children, in bytes."""
    return _each(record.samples, lambda sample: sample.workers, "other workers", missing=math.nan)


def bounds(record: Record, kind: str, task: str | None = None) -> list[Verdict]:
    """Return the objectives about the percentiles of a kind of time, of this task or of all together."""
    measure = kind.replace("-", "_").replace(" ", "_") + "_p"
    return [one for one in record.verdicts if one.measure.startswith(measure) and one.task == task]


def _each(
    samples: list[Sample], values: Callable[[Sample], Mapping[str, int]], others: str, missing: float
) -> list[Line]:
    """Return a line for each name; of many, the smaller ones are one line, their sum."""
    peak: Counter[str] = Counter()
    for sample in samples:
        for name, value in values(sample).items():
            peak[name] = max(peak[name], value)
    chosen = sorted(name for name, _ in peak.most_common(MOST if len(peak) <= MOST else MOST - 1))
    at = [sample.at for sample in samples]
    lines = [Line(name, at, [float(values(one).get(name, missing)) for one in samples]) for name in chosen]
    left = set(peak) - set(chosen)
    if left:
        sums = [float(sum(values(one).get(name, 0) for name in left)) for one in samples]
        lines.append(Line(f"{len(left)} {others}", at, sums))
    return lines
