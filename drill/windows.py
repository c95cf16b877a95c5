"""When a fault was in force, and what is laid to it.

What was lost or came twice does not say why; the times do, as well as they can.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drill.history import Event, Kind


@dataclass(frozen=True)
class Window:
    """The time of one fault, seconds since the epoch; one that was never healed has no end."""

    id: str
    name: str
    began: float
    healed: float | None

    def end(self, aftermath: float = 0.0) -> float:
        """Return when its harm was over: some seconds after it was healed."""
        return math.inf if self.healed is None else self.healed + aftermath


def windows(events: Iterable[Event]) -> list[Window]:
    """Return the faults of a history in the order of their begin.

    Args:
        events: in the order of their time.

    Raises:
        ValueError: if two faults have one id.
    """
    began: dict[str, Event] = {}
    healed: dict[str, float] = {}
    for event in events:
        if event.kind is Kind.FAULT:
            if event.entry in began:
                raise ValueError(f"the fault {event.entry!r} began twice: give each fault an id of its own.")
            began[event.entry] = event
        elif event.kind is Kind.HEALED:
            healed.setdefault(event.entry, event.at)
    return [
        Window(entry, str(event.detail.get("name", entry)), event.at, healed.get(entry))
        for entry, event in began.items()
    ]


def behind_duplicate(faults: Sequence[Window], before: float, start: float, aftermath: float) -> str | None:
    """Return the id of the fault that a second start is laid to.

    Between the two something ended the run, or kept its acknowledgement from arriving: the first fault that was in
    force at the start before or began after it, as the message may come back a visibility timeout later. If there
    was none, it is the last of those that had been healed and may still do harm.

    Args:
        faults: in the order of their begin.
        before: the start before, seconds since the epoch.
        start: the one to be explained.
        aftermath: seconds for which a fault may do harm after it was healed.
    """
    found = [fault for fault in faults if fault.began <= start and fault.end(aftermath) >= before]
    near = [fault for fault in found if fault.end() >= before]
    return near[0].id if near else found[-1].id if found else None


def behind_loss(faults: Sequence[Window], last_seen: float, gone: float, aftermath: float) -> str | None:
    """Return the id of the fault that a loss is laid to: the nearest to the last sign of life.

    A fault that was in force then is nearest of all, of several the last that began. One that was healed before is
    looked at for its aftermath only.

    Args:
        faults: in the order of their begin.
        last_seen: the last start, or else the acknowledgement, seconds since the epoch.
        gone: when it must have been taken from its queue: no fault that began later took it.
        aftermath: seconds for which a fault may do harm after it was healed.
    """
    near = [
        (max(fault.began - last_seen, last_seen - fault.end(), 0.0), -fault.began, fault.id)
        for fault in faults
        if fault.end(aftermath) >= last_seen and fault.began <= gone
    ]
    return min(near)[2] if near else None
