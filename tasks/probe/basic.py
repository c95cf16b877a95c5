"""The simplest round trips: does a task arrive, run, and answer, and who ran it?"""

from __future__ import annotations

import os
import time
from typing import Any

from tasks.probe.bounds import HOUR, within
from tasks.probe.declare import BoundTask, probe

RELEASE_VARIABLE = "CELERY_RELEASE"


@probe("add")
def add(x: float, y: float) -> float:
    """Return x + y."""
    return x + y


@probe("echo")
def echo(payload: Any) -> Any:
    """Return the payload, any JSON value, unchanged."""
    return payload


@probe("sleep")
def sleep(seconds: float) -> dict[str, Any]:
    """Hold a slot of the pool for some time without using the CPU.

    Args:
        seconds: 0 to 3600.

    Returns:
        started_at, finished_at and pid: two that overlap with different pids prove concurrency.

    Raises:
        ValueError: if seconds is outside its limits.
    """
    within("probe.sleep", "seconds", seconds, 0, HOUR, "s")
    started = time.time()
    time.sleep(seconds)
    return {"started_at": started, "finished_at": time.time(), "pid": os.getpid()}


@probe("whoami", bind=True)
def whoami(self: BoundTask) -> dict[str, Any]:
    """Tell who ran this message.

    Returns:
        worker: its node name, `celery@host`.
        pid: of the process that ran it: a pool child under prefork, else the worker.
        queue: the routing key the message came with: the queue's name, unless the queue has a key of its own.
        release: CELERY_RELEASE of the worker's environment, or null.
    """
    return {
        "worker": self.request.hostname,
        "pid": os.getpid(),
        "queue": (self.request.delivery_info or {}).get("routing_key"),
        "release": os.environ.get(RELEASE_VARIABLE),
    }
