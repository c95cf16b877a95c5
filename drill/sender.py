"""A sender that asks at a constant rate, whatever the system does: an open model, as users are.

A sender that waited for the system would ask less while it stands still, and so hide the worst latencies.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from drill.history import History, Kind


class Sender:
    """Publishes entries at a constant rate from threads of its own, and records each before and after."""

    def __init__(
        self,
        publish: Callable[[str], object],
        rate: float,
        history: History,
        *,
        prefix: str | None = None,
        threads: int = 1,
        **detail: Any,
    ) -> None:
        """Nothing is sent yet.

        Args:
            publish: sends the task of an entry; called from all threads, so it must bear that.
            rate: entries a second, of all threads together.
            history: gets submitted (before), then acknowledged, or doubtful with `error`, the exception's class.
            prefix: of the entries, which are `<prefix>-000000` and so on; a random one by default.
            threads: a publish that hangs holds up its own thread only: late, its entries keep the time at
                which they were intended.
            detail: goes into each `submitted`; `queue="…"`, where order is judged.

        Raises:
            ValueError: if rate or threads is not above 0.
        """
        if not rate > 0 or threads < 1:
            raise ValueError(f"rate={rate!r} a second from threads={threads!r}: both must be above 0.")
        self.prefix = uuid4().hex[:8] if prefix is None else prefix
        self._publish, self._rate, self._history, self._detail = publish, rate, history, detail
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(first, threads), name=f"sender-{self.prefix}-{first}", daemon=True)
            for first in range(threads)
        ]

    def start(self) -> None:
        """Begin; a sender is started once."""
        self._began, self._epoch = time.monotonic(), time.time()
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 60.0) -> None:
        """End after the entries that are being sent.

        Args:
            timeout: seconds to wait for publishes under way.

        Raises:
            TimeoutError: if one hangs for longer; its entry has no acknowledgement, and so is in doubt.
        """
        self._stop.set()
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        hanging = sum(thread.is_alive() for thread in self._threads)
        if hanging:
            raise TimeoutError(
                f"{hanging} of {len(self._threads)} publishes have not returned within {timeout:g} s: "
                "give the client timeouts (socket_timeout, retry policy), or wait longer."
            )

    def _run(self, number: int, step: int) -> None:
        """Send every `step`th entry from `number` on, each at its time or, held up, at once."""
        while not self._stop.wait(max(0.0, self._began + number / self._rate - time.monotonic())):
            entry = f"{self.prefix}-{number:06d}"
            self._history.append(Kind.SUBMITTED, entry, intended=self._epoch + number / self._rate, **self._detail)
            try:
                self._publish(entry)
            except Exception as error:  # whatever class: the checker only wants to know that it is in doubt
                self._history.append(Kind.DOUBTFUL, entry, error=type(error).__name__)
            else:
                self._history.append(Kind.ACKNOWLEDGED, entry)
            number += step
