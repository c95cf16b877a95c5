"""The workers' side of the history of a drill: who started and finished what, kept outside the Redis under test.

`drill/` reads these lines together with the sender's, and judges.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from tasks.probe.bounds import HOUR, within
from tasks.probe.declare import BoundTask, Request, probe, redelivered
from tasks.probe.errors import ProbeError

HISTORY_VARIABLE = "PROBE_HISTORY"
MAX_FAILURES = 10
RETRY_AFTER = 0.1  # seconds


# `task_retry_on_worker_lost` waits for the task's own delay, three minutes if it says none (celery 5.7, worker/request.py).
@probe("record", bind=True, max_retries=MAX_FAILURES, default_retry_delay=1)
def record(self: BoundTask, entry: str, seconds: float = 0.0, spin: float = 0.0, failures: int = 0) -> dict[str, Any]:
    """Write `started`, work, write `finished`: one line each to $PROBE_HISTORY, for every run there is.

    Args:
        self: the bound task.
        entry: names the work; the caller's, so that a redelivered or repeated message has the same.
        seconds: to sleep, 0 to 3600.
        spin: seconds of CPU to burn after that, 0 to 3600.
        failures: runs that write `failed` and ask for a retry before one finishes: 0 to 11, which is one more than
            there are retries.

    Returns:
        entry, worker, pid, redelivered, retries, started_at and finished_at.

    Raises:
        ValueError: if an argument is outside its limits.
        RuntimeError: if PROBE_HISTORY is not set, or its file cannot be written.
        ProbeError: as the cause of each retry.
    """
    within("probe.record", "seconds", seconds, 0, HOUR, "s")
    within("probe.record", "spin", spin, 0, HOUR, "s")
    within("probe.record", "failures", failures, 0, MAX_FAILURES + 1)
    run = origin(self.request)
    started = append("started", entry, **run)
    try:
        time.sleep(seconds)
        burn(spin)
        if self.request.retries < failures:
            raise ProbeError(f"failure {self.request.retries + 1} of {failures}, as asked")
    except Exception as error:  # a soft time limit, too, is a run that came to nothing
        append("failed", entry, **run, error=type(error).__name__)
        if isinstance(error, ProbeError):
            # After the line: the next run must not start before this one is told to have failed.
            raise self.retry(exc=error, countdown=RETRY_AFTER) from None
        raise
    return {"entry": entry, **run, "started_at": started, "finished_at": append("finished", entry, **run)}


def origin(request: Request) -> dict[str, Any]:
    """Return who runs this message, and why once more: worker, pid, redelivered and retries."""
    return {
        "worker": request.hostname,
        "pid": os.getpid(),
        "redelivered": redelivered(request),
        "retries": request.retries,
    }


def burn(seconds: float) -> None:
    """Use the CPU for some seconds of this thread's own time."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def append(event: str, entry: str, **detail: Any) -> float:
    """Write one line to $PROBE_HISTORY and return its time, seconds since the epoch.

    One write to a file opened for appending: the kernel keeps the lines of several processes apart, and what was
    written outlives a kill -9 of its writer. No fsync: only a power cut of the worker's own machine could take
    the line back, drills cut the power of Redis's disk; and waiting for a disk is load of its own.

    Args:
        event: what happened, as drill/history.py names it.
        entry: to which entry.
        detail: whatever else is known, JSON values.

    Raises:
        RuntimeError: if PROBE_HISTORY is not set, or its file cannot be written.
    """
    path = os.environ.get(HISTORY_VARIABLE)
    if not path:
        raise RuntimeError(
            f"probe.record: {HISTORY_VARIABLE} is not set: "
            "give the path of the history's file in the worker's environment."
        )
    at = time.time()
    line = json.dumps({"at": at, "event": event, "entry": entry, **detail}).encode() + b"\n"
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            if os.write(file, line) < len(line):
                raise OSError("the disk took half a line")
        finally:
            os.close(file)
    except OSError as error:
        raise RuntimeError(
            f"probe.record: {path} cannot be written ({error}): "
            f"set {HISTORY_VARIABLE} to a file in a folder the worker may write to."
        ) from error
    return at
