"""A sender that asks at a constant rate, whatever the system does: an open model, as users are.

A sender that waited for the system would ask less while it stands still, and so hide the worst latencies.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from drill.history import History


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
        raise NotImplementedError

    def start(self) -> None:
        """Begin."""
        raise NotImplementedError

    def stop(self, timeout: float = 60.0) -> None:
        """End after the entries that are being sent.

        Args:
            timeout: seconds to wait for publishes under way.

        Raises:
            TimeoutError: if one hangs for longer; its entry has no acknowledgement, and so is in doubt.
        """
        raise NotImplementedError
