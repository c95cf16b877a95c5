"""What happened, line by line: the sender's, the workers' and the nemesis's account of one run.

One JSON object a line: `at` (seconds since the epoch), `event`, `entry`, and whatever else there is to say.
The workers write the same (tasks/probe/history.py), so their files are read as they are.
"""

from __future__ import annotations

import json
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
        raise NotImplementedError

    @classmethod
    def parse(cls, line: str) -> Event:
        """Return the event of a line.

        Raises:
            ValueError: if it is no JSON object with `at`, `event` and `entry`, or its kind is unknown.
        """
        raise NotImplementedError


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
        raise NotImplementedError

    def merge(self, events: Iterable[Event]) -> None:
        """Add events of others. One that is there already is not added: a file may be read twice."""
        raise NotImplementedError

    def read(self, *paths: Path) -> None:
        """Add the events of files; a torn last line, of a writer that was stopped in it, is passed over.

        Raises:
            OSError: if a file cannot be read.
            ValueError: if another line is no event; the message names file and line.
        """
        raise NotImplementedError

    def write(self, path: Path) -> None:
        """Write all events to a file, as lines of JSON in the order of their time.

        Raises:
            OSError: if it cannot be written.
        """
        raise NotImplementedError

    def __iter__(self) -> Iterator[Event]:
        """Go through the events of this moment, in the order of their time."""
        raise NotImplementedError

    def __len__(self) -> int:
        """Return how many there are."""
        raise NotImplementedError
