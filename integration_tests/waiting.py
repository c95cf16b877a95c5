"""Waiting for conditions, and the length of faults: the only place of these tests that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

PAUSE = 0.05  # seconds between two looks


def wait_until(
    what: str,
    condition: Callable[[], Found],
    seconds: float,
    *,
    ignoring: type[Exception] | tuple[type[Exception], ...] = (),
) -> Found:
    """Return what the condition returns as soon as that is true.

    Args:
        what: is waited for, in words: the message of the failure.
        condition: looked at again and again.
        seconds: deadline.
        ignoring: exceptions that mean "not yet".

    Raises:
        AssertionError: if it does not come true in time.
    """
    end = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            last = found = condition()
            if found:
                return found
        except ignoring as error:
            last = error
        if time.monotonic() >= end:
            raise AssertionError(f"{what}: not within {seconds:g} s; last seen: {last!r}")
        time.sleep(PAUSE)


def pass_time(seconds: float) -> None:
    """Let a fault last: its length is what is tried, and no condition that could be waited for."""
    time.sleep(seconds)
