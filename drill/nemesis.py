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


def haunt(target: Target, schedule: Iterable[Planned], history: History, tell: Tell = print) -> None:
    """Do everything that is planned; whatever happens, the fault that is under way is healed.

    Args:
        target: that is hurt.
        schedule: in the order of time.
        history: takes begin and end of each fault.
        tell: is told of each fault as it happens.
    """
    began = time.monotonic()
    for planned in schedule:
        time.sleep(max(0.0, began + planned.at - time.monotonic()))
        tell(f"{planned.number:>3}  {planned.fault.says} [{planned.name}]")
        inflict(target, planned, history)


def inflict(target: Target, planned: Planned, history: History) -> None:
    """Let one fault happen, and heal it."""
    # Before it is in force: what it kills may have been fetched while it began.
    history.append(Kind.FAULT, entry(planned), name=planned.fault.name, service=planned.name)
    heal = planned.fault.begin(target, planned.name)
    try:
        time.sleep(planned.lasts)
    finally:
        heal()
        history.append(Kind.HEALED, entry(planned))
