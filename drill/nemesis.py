"""Lets a schedule happen, one fault at a time, and writes down what it did."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from drill.history import History, Kind
from drill.schedule import Planned
from drill.targets.target import Target

Tell = Callable[[str], object]


def entry(planned: Planned) -> str:
    """Return what a fault is called in the history."""
    return f"{planned.fault.name}-{planned.number}"


def haunt(
    target: Target,
    schedule: Iterable[Planned],
    history: History,
    ready: Callable[[], object],
    tell: Tell = print,
) -> None:
    """Do everything that is planned, one fault at a time: that is what promises are for.

    Args:
        target: that is hurt.
        schedule: in the order of time.
        history: takes begin and end of each fault.
        ready: returns once the target has recovered from the fault before.
        tell: is told of each fault as it happens.

    Raises:
        NotPossible: if a fault cannot be done or healed, or the target does not recover from the one before.
    """
    began = time.monotonic()
    for planned in schedule:
        time.sleep(max(0.0, began + planned.at - time.monotonic()))
        ready()
        inflict(target, planned, history, tell)


def inflict(
    target: Target,
    planned: Planned,
    history: History,
    tell: Tell = print,
    last: Callable[[float], object] | None = None,
) -> None:
    """Let one fault happen, and heal it; whatever comes in between, nothing stays hurt.

    Args:
        target: that is hurt.
        planned: the fault.
        history: takes its begin and its end.
        tell: is told of it.
        last: waits for so many seconds, or until all is over; time.sleep by default.
    """
    name, fault = planned.name, planned.fault
    master = target.master if fault.where == "redis" else None
    tell(f"{planned.number:>3}  {fault.says} [{name}{', the master' if master == name else ''}]")
    # Before it is in force: what it kills may have been fetched while it began.
    history.append(Kind.FAULT, entry(planned), name=fault.name, service=name, master=master == name)
    try:
        heal = fault.begin(target, name)
        try:
            (last or time.sleep)(planned.lasts)
        finally:
            heal()
    except BaseException:  # Ctrl-C, too
        target.mend()
        raise
    history.append(Kind.HEALED, entry(planned))
