"""Tasks that fail a number of times and then succeed, with exponential backoff and jitter.

Each attempt is written into a header of the message that asks for the next one, so the record survives a
change of child, worker or host, a redelivery and a restart: nothing is kept in a process. The header rides on
Celery's retry, which carries custom headers over (celery 5.7, app/task.py, Context.as_execution_options).
"""

from __future__ import annotations

import random
import time
from typing import Any

from tasks.probe.bounds import HOUR, within
from tasks.probe.declare import BoundTask, Request, probe
from tasks.probe.errors import ProbeError

HISTORY = "probe_attempts"
MAX_FAILURES = 10
AUTO_BACKOFF = 1
AUTO_BACKOFF_MAX = 4


def backoff(retries: int, base: float, cap: float) -> float:
    """Return the longest delay after an attempt: base doubled per retry, up to cap; in the unit of both."""
    return min(cap, base * 2.0**retries)


@probe("retry", bind=True, max_retries=MAX_FAILURES)
def retry(
    self: BoundTask, failures: int = 2, base: float = 1.0, cap: float = 8.0, jitter: bool = True
) -> dict[str, Any]:
    """Fail, ask for a retry after a delay of its own choice, and at last succeed.

    Args:
        self: the bound task.
        failures: attempts that fail before one succeeds: 0 to 10.
        base: seconds of the first backoff, 0 to 60.
        cap: seconds of the longest, 0 to 3600; above the broker's visibility timeout a retry may run twice.
        jitter: draw each delay evenly from 0 to the backoff; if not, the delay is the backoff.

    Returns:
        attempts: one entry each, in order: retries (0, 1, …), started_at, backoff and delay in seconds (null
        for the last one, which succeeds). delay <= backoff; the next starts at started_at + delay or later.

    Raises:
        ValueError: if an argument is outside its limits.
        ProbeError: as the cause of each retry.
    """
    within("probe.retry", "failures", failures, 0, MAX_FAILURES)
    within("probe.retry", "base", base, 0, 60, "s")
    within("probe.retry", "cap", cap, 0, HOUR, "s")
    done = self.request.retries
    if done >= failures:
        return {"attempts": _attempts(self.request, None, None)}
    longest = backoff(done, base, cap)
    delay = random.uniform(0, longest) if jitter else longest  # noqa: S311 - spreads load, hides nothing
    raise self.retry(
        exc=ProbeError(f"failure {done + 1} of {failures}, as asked"),
        countdown=delay,
        headers={**(self.request.headers or {}), HISTORY: _attempts(self.request, longest, delay)},
    )


@probe(
    "autoretry",
    bind=True,
    autoretry_for=(ProbeError,),
    retry_backoff=AUTO_BACKOFF,
    retry_backoff_max=AUTO_BACKOFF_MAX,
    retry_jitter=True,
    max_retries=MAX_FAILURES,
)
def autoretry(self: BoundTask, failures: int = 2) -> dict[str, Any]:
    """Fail and leave the retry to Celery: backoff 1, 2, 4, 4 … s, jitter a whole number of seconds up to it.

    Args:
        self: the bound task.
        failures: attempts that fail before one succeeds: 0 to 10.

    Returns:
        attempts: as of `probe.retry`, with delay always null: Celery draws it after the task has failed
        (celery 5.7, app/autoretry.py).

    Raises:
        ValueError: if failures is outside its limits.
        ProbeError: for Celery to retry.
    """
    within("probe.autoretry", "failures", failures, 0, MAX_FAILURES)
    done = self.request.retries
    if done >= failures:
        return {"attempts": _attempts(self.request, None, None)}
    longest = backoff(done, AUTO_BACKOFF, AUTO_BACKOFF_MAX)
    # Celery builds the retried message from this request, and offers no argument to add to it.
    self.request.headers = {**(self.request.headers or {}), HISTORY: _attempts(self.request, longest, None)}
    raise ProbeError(f"failure {done + 1} of {failures}, as asked")


def _attempts(request: Request, longest: float | None, delay: float | None) -> list[dict[str, Any]]:
    """Return the attempts so far with this one at the end."""
    this = {"retries": request.retries, "started_at": time.time(), "backoff": longest, "delay": delay}
    return [*(request.headers or {}).get(HISTORY, []), this]
