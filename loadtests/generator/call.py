"""One task on its way: when it was meant to start, when it was sent, how it ended."""

from __future__ import annotations

import os
import time
from typing import Any

clock = time.perf_counter
# Seconds by which the wall clock of this host is ahead of the master's: loadtests/run/remote.py measures it.
AHEAD = float(os.environ.get("LOAD_AHEAD") or 0)
# seconds that lie between that clock and the epoch, by the master's wall clock: generators start at one moment by it
EPOCH = time.time() - AHEAD - clock()
# celery 5.7, backends/base.py, KeyValueStoreBackend.task_keyprefix; the prefix of all keys stands before it
RESULT = "celery-task-meta-"


class Failed(Exception):  # noqa: N818 - it is what Locust lists as the error
    """Why a task has no good end, in as few different words as possible: Locust counts failures by them."""

    def __repr__(self) -> str:
        """As it stands in Locust's table of failures."""
        return str(self)


class Call:
    """A task that was submitted. Times are seconds of `clock`; 0 is not yet."""

    __slots__ = (
        *("name", "channel", "key", "message", "due", "limit", "added", "sent", "started", "restarted", "parts"),
        *("kept", "fails", "ended", "value", "error", "waiter"),
    )

    def __init__(self, name: str, channel: bytes, key: bytes, message: bytes, due: float, limit: float) -> None:
        """Describe a task before it is sent.

        Args:
            name: of its rows in Locust's statistics.
            channel: where its result is published: the result's key.
            key: the list that it is pushed to.
            message: what is pushed.
            due: when it should start: its arrival in the schedule, later by its countdown. Latency counts from here.
            limit: seconds after that in which a result has to come.
        """
        self.name = name
        self.channel = channel
        self.key = key
        self.message = message
        self.due = due
        self.limit = limit
        self.added = clock()
        self.sent = self.started = self.restarted = self.ended = 0.0
        self.parts = self.kept = True  # queue wait and run time are told apart; a result is awaited
        self.fails = False  # a failure is its good end
        self.value: Any = None
        self.error: Failed | None = None
        self.waiter: Any = None

    @property
    def deadline(self) -> float:
        """When it counts as lost."""
        return self.due + self.limit
