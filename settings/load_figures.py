"""What follows from a workload as it is written: how long it lasts, how much arrives, how fast a task can be at best."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from settings.model.load import LoadProfile, LoadTask

# Names of the faults of drill/, which stands above settings/ and is not imported here; a test compares the two.
FAULTS = (
    *("redis-kill", "redis-away", "redis-restart", "redis-pause", "redis-freeze", "redis-connections", "redis-memory"),
    *("redis-writes", "redis-rewrite-kill", "redis-cut", "redis-refused", "redis-slow", "redis-and-worker"),
    *("worker-kill", "worker-kill-all", "worker-away", "worker-term", "worker-quit", "worker-pause", "worker-freeze"),
    *("worker-roll", "worker-cut", "worker-refused", "workers-away", "child-kill", "children-kill"),
    *("power-cut", "disk-full"),
)
# Task of tasks/probe → the arguments that are seconds of its run, by position and by name.
ROUNDING = 1e-9
TIMED = {
    "probe.sleep": ((0, "seconds"),),
    "probe.compute": ((0, "seconds"),),
    "probe.work": ((1, "wait"), (2, "compute")),
}


def length(profile: LoadProfile) -> float:
    """Return how many seconds the phases of a profile last; 0 for a trace."""
    return sum(phase.seconds for phase in profile.phases)


def arriving(profile: LoadProfile, since: float = 0) -> float:
    """Return how many tasks the phases of a profile bring from a second on."""
    total, begin = 0.0, 0.0
    for phase in profile.phases:
        end = begin + phase.seconds
        last = phase.rate if phase.to is None else phase.to
        left = max(begin, since)
        if left < end:
            at_left = phase.rate + (last - phase.rate) * (left - begin) / phase.seconds
            total += (end - left) * (at_left + last) / 2
        begin = end
    return total


def mean_rate(profile: LoadProfile) -> float:
    """Return the tasks per second that arrive after the warm-up; 0 for a trace."""
    measured = length(profile) - profile.warm_up
    return arriving(profile, profile.warm_up) / measured if measured > 0 else 0.0


def runs(task: LoadTask) -> list[float]:
    """Return the seconds that a task and each further one of its chain run at best, as far as their arguments tell.

    Arguments of the probe tasks do; of any other task it is 0.
    """
    shift = 1 if task.payload else 0
    first = _run(task.task, [None] * shift + list(task.args), task.kwargs)
    return [first, *(_run(step.task, [None, *step.args], {}) for step in task.chain)]


def least(task: LoadTask) -> float:
    """Return the seconds that a task takes to its end at best."""
    return sum(runs(task))


def _run(task: str, args: list[Any], kwargs: dict[str, Any]) -> float:
    if task == "probe.long":
        stages, seconds = _value(args, kwargs, 0, "stages"), _value(args, kwargs, 1, "seconds")
        return _number(len(stages) if isinstance(stages, list) else stages) * _number(seconds)
    return sum(_number(_value(args, kwargs, *place)) for place in TIMED.get(task, ()))


def _value(args: list[Any], kwargs: dict[str, Any], position: int, name: str) -> Any:
    return args[position] if position < len(args) else kwargs.get(name)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def least_percentile(tasks: Iterable[LoadTask], share: float) -> float:
    """Return the least that a percentile of end-to-end times of a mix can be, in seconds."""
    times = sorted((least(task), task.share) for task in tasks)
    left = share * sum(weight for _, weight in times)
    for time, weight in times:
        left -= weight
        if left <= ROUNDING:
            return time
    return times[-1][0] if times else 0.0
