"""What came back for one task."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    """What came back for one task."""

    id: str
    sent: float  # monotonic seconds
    state: str = "PENDING"
    value: Any = None  # the result, or the failure as {"exc_type": …, "exc_message": …}
    worker: str = ""
    started: float | None = None  # monotonic seconds at which STARTED was seen
    ended: float | None = None  # monotonic seconds at which an end was seen
    done: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def elapsed(self) -> float:
        """Seconds from the publish to the end."""
        return (self.ended or time.monotonic()) - self.sent

    @property
    def ok(self) -> bool:
        """Whether the task returned."""
        return self.state == "SUCCESS"

    @property
    def failure(self) -> str:
        """The exception's name and message; empty where there is none."""
        if self.state != "FAILURE" or not isinstance(self.value, dict):
            return ""
        message = self.value.get("exc_message")
        words = " ".join(map(str, message)) if isinstance(message, list | tuple) else str(message)
        return f"{self.value.get('exc_type')}: {words}"
