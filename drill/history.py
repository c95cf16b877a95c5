"""What happened, line by line: the sender's, the workers' and the nemesis's account of one run.

One JSON object a line: `at` (seconds since the epoch), `event`, `entry`, and whatever else there is to say.
The workers write the same (tasks/probe/history.py), so their files are read as they are.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Kind(StrEnum):
    """What an event tells, and who tells it."""

    SUBMITTED = "submitted"  # the sender, before it publishes; `intended`: when it should have, epoch seconds
    ACKNOWLEDGED = "acknowledged"  # the sender: the publish returned
    DOUBTFUL = "doubtful"  # the sender: the publish raised `error`; the message may have arrived or not
    STARTED = "started"  # a worker, with `worker`, `pid`, `redelivered` and `retries`; so the next two
    FINISHED = "finished"
    FAILED = "failed"  # this run came to nothing; a retry may follow, with one more in `retries`
    FAULT = "fault"  # the nemesis, once the fault is in force; `entry` names this one, `name` its kind
    HEALED = "healed"  # the nemesis, once nothing is left of it; the same `entry`


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        at: seconds since the epoch, by the clock of whoever wrote it: as comparable as the clocks are.
        kind: what it tells.
        entry: the id of the task's work, the same however often it is delivered; of a fault, the fault's id.
        detail: whatever else is known, JSON values.
    """

    at: float
    kind: Kind
    entry: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """Return the event as a line of JSON, without its end; equal events have equal lines."""
        told = {**self.detail, "at": float(self.at), "event": self.kind.value, "entry": self.entry}
        return json.dumps(told, sort_keys=True)

    @classmethod
    def parse(cls, line: str | bytes) -> Event:
        """Return the event of a line.

        Raises:
            ValueError: if it is no JSON object with `at`, `event` and `entry`, or its kind is unknown.
        """
        told = json.loads(line)
        if not isinstance(told, dict):
            raise ValueError(f"{told!r} is no JSON object")
        try:
            at, kind, entry = float(told.pop("at")), Kind(told.pop("event")), told.pop("entry")
        except KeyError as missing:
            raise ValueError(f"{missing} is missing") from None
        except TypeError as error:
            raise ValueError(f"`at` is no number: {error}") from None
        if not math.isfinite(at) or not isinstance(entry, str):
            raise ValueError(f"at={at!r} must be finite and entry={entry!r} a string")
        return cls(at, kind, entry, told)


def events(content: bytes, source: str) -> list[Event]:
    """Return the events of a file's content; a torn last line, of a writer that was stopped in it, is passed over.

    Args:
        content: lines of JSON, wherever they were read: on this machine or another.
        source: the file's name, for the message.

    Raises:
        ValueError: if another line is no event; the message names source and line.
    """
    *lines, rest = content.split(b"\n")
    found = []
    for number, line in enumerate([*lines, rest], start=1):
        try:
            if line:
                found.append(Event.parse(line))
        except ValueError as error:
            if number <= len(lines):
                raise ValueError(
                    f"{source}:{number}: {error}: a line of a history has at, event and entry; "
                    "move the file away, and give each run a new one."
                ) from error
    return found


class History:
    """The events of a run, in the order of their time. Any thread may add to it and read it."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        """Begin with some events."""
        self._lock = threading.Lock()
        self._events: dict[str, Event] = {}
        self.merge(events)

    def append(self, kind: Kind, entry: str, *, at: float | None = None, **detail: Any) -> Event:
        """Add what happened now, or at another time, and return it.

        Args:
            kind: what happened.
            entry: to which entry, or which fault.
            at: seconds since the epoch; now by default.
            detail: whatever else is known, JSON values.
        """
        event = Event(time.time() if at is None else at, kind, entry, detail)
        self.merge([event])
        return event

    def merge(self, others: Iterable[Event]) -> None:
        """Add events of others. One that is there already is not added: a file may be read twice."""
        new = {event.line(): event for event in others}
        with self._lock:
            self._events.update(new)

    def read(self, *paths: Path) -> None:
        """Add the events of files.

        Raises:
            OSError: if a file cannot be read.
            ValueError: if a line is no event; the message names file and line.
        """
        for path in paths:
            self.merge(events(path.read_bytes(), str(path)))

    def write(self, path: Path) -> None:
        """Write all events to a file, as lines of JSON in the order of their time.

        Raises:
            OSError: if it cannot be written.
        """
        path.write_text("".join(event.line() + "\n" for event in self), encoding="utf-8")

    def __iter__(self) -> Iterator[Event]:
        """Go through the events of this moment, in the order of their time."""
        with self._lock:
            found = list(self._events.items())
        return iter([event for _, event in sorted(found, key=lambda item: (item[1].at, item[0]))])

    def __len__(self) -> int:
        """Return how many there are."""
        with self._lock:
            return len(self._events)
