"""Watches a deployment while it is under load: through connections of its own, never through the generator."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import redis

from loadtests.record import Sample
from loadtests.run.broker import Look

EVERY = 1.0  # seconds from one sample to the next
CLOSELY = 0.1  # seconds, once the last task has arrived: until all is done
SURE = 2  # looks in a row at empty queues: a message on its way from one to the other is in none


class Seen(Protocol):
    """What a broker lets itself be seen."""

    def look(self) -> Look:
        """Look at it; raises redis.RedisError where it does not answer."""


class Watcher:
    """A thread that samples. Times are seconds since the epoch until the run tells when it began."""

    def __init__(self, broker: Seen, sizes: Callable[[], dict[str, int]]) -> None:
        """Start nothing yet.

        Args:
            broker: is looked at.
            sizes: returns worker → bytes of its memory.
        """
        self._broker = broker
        self._sizes = sizes
        self.seen: list[Sample] = []  # with times since the epoch
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._empty: list[float] = []  # since when, look by look
        self._sampled = 0.0  # when the last sample was due
        self.last_arrival: float | None = None  # seconds since the epoch; it is told once that is known
        self.drained: threading.Event = threading.Event()
        self.maxmemory = 0
        self.cost = 0.0  # seconds of CPU that watching took

    def __enter__(self) -> Watcher:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def samples(self, began: float) -> list[Sample]:
        """Return what was seen, with times since the run began."""
        return [replace(sample, at=sample.at - began) for sample in list(self.seen)]

    @property
    def emptied(self) -> float | None:
        """When nothing waited and nothing was held any more, after the last arrival; seconds since the epoch."""
        return self._empty[0] if self.drained.is_set() else None

    def _run(self) -> None:
        began, pause = time.thread_time(), 0.0
        while not self._over.wait(pause):
            self._sample(time.time())
            self.cost = time.thread_time() - began
            pause = self._pause(time.time())

    def _closely(self, now: float) -> bool:
        return self.last_arrival is not None and now >= self.last_arrival and not self.drained.is_set()

    def _pause(self, now: float) -> float:
        """Return the seconds until the next look."""
        if self._closely(now):
            return CLOSELY
        due = self._sampled + EVERY
        if self.last_arrival is not None and self.last_arrival > now:
            due = min(due, self.last_arrival)
        return max(0.0, due - now)

    def _sample(self, now: float) -> None:
        closely, due = self._closely(now), now >= self._sampled + EVERY
        if due:
            on_time = now < self._sampled + 2 * EVERY
            self._sampled = self._sampled + EVERY if on_time else now
        try:
            look = self._broker.look()
        except (redis.RedisError, OSError):  # it is hurt: a gap in what was seen says so
            self._empty.clear()
            return
        self.maxmemory = look.maxmemory
        if closely:
            self._take_note(now, empty=look.empty)
        if due or self.drained.is_set():
            sizes: dict[str, int] = {}
            with contextlib.suppress(OSError):
                sizes = self._sizes()
            self.seen.append(Sample(now, look.backlog, look.unacked, look.memory, sizes))

    def _take_note(self, now: float, *, empty: bool) -> None:
        if not empty:
            self._empty.clear()
            return
        self._empty.append(now)
        if len(self._empty) >= SURE:
            self.drained.set()
