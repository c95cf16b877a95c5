"""Hand-made histories, told in a few words."""

from __future__ import annotations

from typing import Any

from drill.history import Event, Kind


def event(at: float, kind: str, entry: str, **detail: Any) -> Event:
    """Return one event."""
    return Event(at, Kind(kind), entry, detail)


def sent(entry: str, at: float, **detail: Any) -> list[Event]:
    """Return a submit and its acknowledgement, 10 ms later."""
    return [event(at, "submitted", entry, intended=at, **detail), event(at + 0.01, "acknowledged", entry)]


def ran(entry: str, start: float, finish: float | None = None, retries: int = 0, end: str = "finished") -> list[Event]:
    """Return a start, and its end where it has one."""
    began = event(start, "started", entry, retries=retries)
    return [began] if finish is None else [began, event(finish, end, entry, retries=retries)]


def fault(name: str, begin: float, heal: float | None = None) -> list[Event]:
    """Return a fault, and its heal where it has one."""
    began = event(begin, "fault", name, name=name.split("-", 1)[0])
    return [began] if heal is None else [began, event(heal, "healed", name)]
