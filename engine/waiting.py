"""Waiting on a condition, with a deadline and a name for what was awaited."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from engine.errors import NotPossible

POLL = 0.2  # seconds between two looks
T = TypeVar("T")


def await_truth(what: str, look: Callable[[], T | None], seconds: float) -> T:
    """Return the first true answer of `look`.

    Raises:
        NotPossible: naming `what`, if there is none within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        if time.monotonic() > deadline:
            raise NotPossible(f"{what} did not happen within {seconds:g} s.")
        time.sleep(POLL)
    return answer
