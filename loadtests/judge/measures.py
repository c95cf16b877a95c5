"""What a run comes to, in the measures that objectives are written in.

A task that failed or was lost counts as infinitely late: losing the slow ones must not improve a percentile. What lies
before the warm-up's end does not count.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from loadtests.figures import WAIT, WHOLE, Figures, lost, percentile
from loadtests.record import Record, Sample
from loadtests.schedule import schedule_of
from settings.rules.memory import COPY_ON_WRITE

SECOND, SHARE, TASKS, RATE, BYTES = "s", "share", "tasks", "tasks/s", "bytes"
NOTHING = "nothing was measured"


@dataclass(frozen=True)
class Measured:
    """What a measure came to."""

    value: float | None  # infinite: it never came; None: it could not be measured
    note: str = ""


@dataclass(frozen=True)
class Part:
    """The part of a run that counts, of one task or of all."""

    record: Record
    task: str | None

    @property
    def figures(self) -> Figures:
        """What was measured."""
        return self.record.figures

    @property
    def since(self) -> int:
        """Second from which on tasks count."""
        return math.ceil(self.record.profile.warm_up)

    @property
    def errors(self) -> Counter[str]:
        """Error → how often."""
        return self.figures.errors(self.task, self.since)

    @property
    def samples(self) -> list[Sample]:
        """What was seen of the deployment."""
        return [sample for sample in self.record.samples if sample.at >= self.since]


def measured(record: Record, measure: str, task: str | None = None) -> Measured:
    """Return what a measure came to in a run, in its unit (`UNITS`).

    Args:
        record: the run.
        measure: one of `settings.model.load.Measure`.
        task: of the mix; None is all together.
    """
    if record.figures.complaint:
        return Measured(None, "the generator was too slow, so these figures are not the system's")
    return MEASURES[measure].of(Part(record, task))


def late(times: Counter[float], share: float, never: int) -> Measured:
    """Return a percentile of times (ms) in seconds, where so many more tasks never came to a good end."""
    total = times.total() + never
    if not total:
        return Measured(None, NOTHING)
    if share * total > times.total():
        return Measured(math.inf, f"{never} of {total} tasks came to no good end, which is later than any time")
    return Measured(percentile(times, min(1.0, share * total / times.total())) / 1000, f"of {total} tasks")


def _whole(share: float) -> Callable[[Part], Measured]:
    return lambda part: late(part.figures.times(WHOLE, part.task, part.since), share, part.errors.total())


def _wait(share: float) -> Callable[[Part], Measured]:
    def of(part: Part) -> Measured:
        never = sum(_never_started(part, name) for name in part.figures.tasks if part.task in (None, name))
        return late(part.figures.times(WAIT, part.task, part.since), share, never)

    return of


def _never_started(part: Part, task: str) -> int:
    """Return how many tasks of a kind ended badly without having begun: lost or expired ones waited for ever."""
    ended = part.figures.times(WHOLE, task, part.since).total()
    wrong = part.figures.errors(task, part.since).total()
    waits = part.figures.times(WAIT, task, part.since).total()
    if not waits:  # chains have no queue wait; where nothing at all came to an end, nothing can have
        return 0 if ended else wrong
    return min(wrong, max(0, ended + wrong - waits))


def _error_rate(part: Part) -> Measured:
    good, wrong = part.figures.times(WHOLE, part.task, part.since).total(), part.errors
    if not good + wrong.total():
        return Measured(None, NOTHING)
    said = ", ".join(f"{count} {error}" for error, count in wrong.most_common(3))
    return Measured(wrong.total() / (good + wrong.total()), said or f"of {good} tasks")


def _lost(part: Part) -> Measured:
    total = part.figures.times(WHOLE, part.task, part.since).total() + part.errors.total()
    if not total:
        return Measured(None, NOTHING)
    number = lost(part.errors.items())
    before = lost(part.figures.errors(part.task).items()) - number
    return Measured(float(number), f"of {total} tasks" + (f", and {before} in the warm-up" if before else ""))


def _throughput(part: Part) -> Measured:
    if part.task is not None:
        return Measured(None, "ends are counted for all tasks together")
    until = math.floor(schedule_of(part.record.profile).seconds)
    if until <= part.since:
        return Measured(None, "less than a whole second lies between the warm-up and the last arrival")
    ends = sum(count for second, count in part.figures.ended.items() if part.since <= second < until)
    return Measured(ends / (until - part.since), f"{ends} good ends in {until - part.since} s")


def _drained(part: Part) -> Measured:
    if part.record.drained is None:
        return Measured(math.inf, "it never drained")
    return Measured(part.record.drained)


def _peak(part: Part) -> int:
    return max((sample.redis_memory for sample in part.samples), default=0)


def _redis_memory(part: Part) -> Measured:
    peak = _peak(part)
    return Measured(float(peak), _sized(peak, part.record.redis_maxmemory)) if peak else Measured(None, NOTHING)


def _redis_share(part: Part) -> Measured:
    peak, most = _peak(part), part.record.redis_maxmemory
    if not most:
        return Measured(None, "redis_maxmemory is 0, which is no limit to have a share of")
    return Measured(peak / most, _sized(peak, most)) if peak else Measured(None, NOTHING)


def _sized(peak: int, most: int) -> str:
    """Hold a peak of data against what settings reserve for it: the rule memory-headroom."""
    if not most:
        return "redis_maxmemory sets no limit"
    need, sized = (f"{size * COPY_ON_WRITE / 1024**2:.1f} MiB" for size in (peak, most))
    said = f"a fork at the peak may take {need} of the {sized} that the rule memory-headroom reserves"
    return said if peak <= most else said + ": more than it reserves"


def _worker_memory(part: Part) -> Measured:
    seen = [(size, name) for sample in part.samples for name, size in sample.workers.items() if size]
    if not seen:
        return Measured(None, NOTHING)
    size, name = max(seen)
    return Measured(float(size), name)


@dataclass(frozen=True)
class Measure:
    """How a measure is read."""

    unit: str
    of: Callable[[Part], Measured]


SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MEASURES: dict[str, Measure] = {
    **{f"end_to_end_{name}": Measure(SECOND, _whole(share)) for name, share in SHARES.items()},
    **{f"queue_wait_{name}": Measure(SECOND, _wait(share)) for name, share in SHARES.items()},
    "error_rate": Measure(SHARE, _error_rate),
    "lost": Measure(TASKS, _lost),
    "throughput": Measure(RATE, _throughput),
    "drained_within": Measure(SECOND, _drained),
    "redis_memory": Measure(BYTES, _redis_memory),
    "redis_memory_share": Measure(SHARE, _redis_share),
    "worker_memory": Measure(BYTES, _worker_memory),
}
OF_TASKS = tuple(
    name for name in MEASURES if name.startswith(("end_to_end", "queue_wait")) or name in ("error_rate", "lost")
)
