"""What a run comes to, in the measures that objectives are written in.

A task that failed or was lost counts as infinitely late: losing the slow ones must not improve a percentile. What lies
before the warm-up's end does not count.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from loadtests.figures import WAIT, WHOLE, lost, percentile
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


class Run:
    """A run, with its figures added up from the warm-up's end on: they are read once, however many measures are asked for."""

    def __init__(self, record: Record) -> None:
        """Add up."""
        self.record = record
        self.since = math.ceil(record.profile.warm_up)  # second from which on tasks count
        self.tasks = record.figures.tasks
        self._times: defaultdict[tuple[str, str | None], Counter[float]] = defaultdict(Counter)
        self._errors: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
        for (second, kind, task), cell in record.figures.cells.items():
            if second >= self.since:
                for name in (task, None):
                    self._times[kind, name].update(cell.times)
                    if kind == WHOLE:
                        self._errors[name].update(cell.errors)

    def times(self, kind: str, task: str | None) -> Counter[float]:
        """Return milliseconds → how often; None is all tasks together."""
        return self._times.get((kind, task), Counter())

    def errors(self, task: str | None) -> Counter[str]:
        """Return error → how often."""
        return self._errors.get(task, Counter())

    @property
    def samples(self) -> list[Sample]:
        """What was seen of the deployment."""
        return [sample for sample in self.record.samples if sample.at >= self.since]

    def measured(self, measure: str, task: str | None = None) -> Measured:
        """Return what a measure came to, in its unit.

        Args:
            measure: one of `settings.model.load.Measure`.
            task: of the mix; None is all together.
        """
        if self.record.figures.complaint:
            return Measured(None, "the generator was too slow, so these figures are not the system's")
        return MEASURES[measure].of(self, task)


Reader = Callable[[Run, str | None], Measured]


def late(times: Counter[float], share: float, never: int) -> Measured:
    """Return a percentile of times (ms) in seconds, where so many more tasks never came to a good end."""
    total = times.total() + never
    if not total:
        return Measured(None, NOTHING)
    if share * total > times.total():
        return Measured(math.inf, f"{never} of {total} tasks came to no good end, which is later than any time")
    return Measured(percentile(times, min(1.0, share * total / times.total())) / 1000, f"of {total} tasks")


def _whole(share: float) -> Reader:
    return lambda run, task: late(run.times(WHOLE, task), share, run.errors(task).total())


def _wait(share: float) -> Reader:
    def of(run: Run, task: str | None) -> Measured:
        never = sum(_never_started(run, name) for name in run.tasks if task in (None, name))
        return late(run.times(WAIT, task), share, never)

    return of


def _never_started(run: Run, task: str) -> int:
    """Return how many tasks of a kind ended badly without having begun: lost or expired ones waited for ever."""
    ended, wrong = run.times(WHOLE, task).total(), run.errors(task).total()
    waits = run.times(WAIT, task).total()
    if not waits:  # chains have no queue wait; where nothing at all came to an end, nothing can have
        return 0 if ended else wrong
    return min(wrong, max(0, ended + wrong - waits))


def _error_rate(run: Run, task: str | None) -> Measured:
    good, wrong = run.times(WHOLE, task).total(), run.errors(task)
    if not good + wrong.total():
        return Measured(None, NOTHING)
    said = ", ".join(f"{count} {error}" for error, count in wrong.most_common(3))
    return Measured(wrong.total() / (good + wrong.total()), said or f"of {good} tasks")


def _lost(run: Run, task: str | None) -> Measured:
    total = run.times(WHOLE, task).total() + run.errors(task).total()
    if not total:
        return Measured(None, NOTHING)
    number = lost(run.errors(task).items())
    before = lost(run.record.figures.errors(task).items()) - number
    return Measured(float(number), f"of {total} tasks" + (f", and {before} in the warm-up" if before else ""))


def _throughput(run: Run, task: str | None) -> Measured:
    if task is not None:
        return Measured(None, "ends are counted for all tasks together")
    until = math.floor(schedule_of(run.record.profile).seconds)
    if until <= run.since:
        return Measured(None, "less than a whole second lies between the warm-up and the last arrival")
    ends = sum(count for second, count in run.record.figures.ended.items() if run.since <= second < until)
    return Measured(ends / (until - run.since), f"{ends} good ends in {until - run.since} s")


def _drained(run: Run, _: str | None) -> Measured:
    if run.record.drained is None:
        return Measured(math.inf, "it never drained")
    return Measured(run.record.drained)


def _peak(run: Run) -> int:
    return max((sample.redis_memory for sample in run.samples), default=0)


def _redis_memory(run: Run, _: str | None) -> Measured:
    peak = _peak(run)
    return Measured(float(peak), _sized(peak, run.record.redis_maxmemory)) if peak else Measured(None, NOTHING)


def _redis_share(run: Run, _: str | None) -> Measured:
    peak, most = _peak(run), run.record.redis_maxmemory
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


def _worker_memory(run: Run, _: str | None) -> Measured:
    seen = [(size, name) for sample in run.samples for name, size in sample.workers.items() if size]
    if not seen:
        return Measured(None, NOTHING)
    size, name = max(seen)
    return Measured(float(size), name)


@dataclass(frozen=True)
class Measure:
    """How a measure is read."""

    unit: str
    of: Reader


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
