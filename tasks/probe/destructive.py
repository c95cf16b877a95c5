"""Tasks that do harm on purpose, within limits that hold in production.

Each does its harm once per message. With late acks, `task_reject_on_worker_lost` or
`task_acks_on_failure_or_timeout = False` put the message of a killed child back (celery 9082, 9596), and a
probe that did harm again would do so for ever. On redelivery it returns instead, which proves that the
message was not lost.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any

from billiard import current_process
from billiard.compat import mem_rss
from celery.exceptions import SoftTimeLimitExceeded

from tasks.probe.bounds import HOUR, within
from tasks.probe.declare import BoundTask, probe, redelivered

MAX_MEGABYTES = 1024
MAX_HOLD = 600.0
MAX_CRASHES = 10


@probe("hard_limit", bind=True)
def hard_limit(self: BoundTask, seconds: float = 30.0) -> dict[str, Any]:
    """Ignore the soft time limit and overrun, until the hard limit kills the child.

    Args:
        self: the bound task.
        seconds: until it gives up if nothing kills it: 0 to 3600.

    Returns:
        Only where it was not killed: after (seconds), pid, redelivered (true: the first run was killed and
        this one ended at once). Killed, the result is FAILURE with TimeLimitExceeded.

    Raises:
        ValueError: if seconds is outside its limits.
    """
    within("probe.hard_limit", "seconds", seconds, 0, HOUR, "s")
    again = redelivered(self.request)
    started = time.monotonic()
    while not again and (left := started + seconds - time.monotonic()) > 0:
        with contextlib.suppress(SoftTimeLimitExceeded):
            time.sleep(left)
    return {"after": time.monotonic() - started, "pid": os.getpid(), "redelivered": again}


@probe("memory_hog", bind=True)
def memory_hog(self: BoundTask, megabytes: int = 64, hold: float = 1.0) -> dict[str, Any]:
    """Take memory, really (every page is written), hold it, and give it back.

    Args:
        self: the bound task.
        megabytes: MiB on top of what the process has: 1 to 1024.
        hold: seconds to keep it: 0 to 600.

    Returns:
        megabytes (0 on redelivery), pid, redelivered, and rss_kib: the process's highest resident size so far
        in KiB, the very figure that `worker_max_memory_per_child` is compared with (billiard.compat.mem_rss).

    Raises:
        ValueError: if an argument is outside its limits.
        RuntimeError: if the system refuses the memory. Not MemoryError: that one brings the worker down, not
            the child (celery 5.7, worker/request.py, on_failure).
    """
    within("probe.memory_hog", "megabytes", megabytes, 1, MAX_MEGABYTES, "MiB")
    within("probe.memory_hog", "hold", hold, 0, MAX_HOLD, "s")
    again = redelivered(self.request)
    taken = 0 if again else int(megabytes)
    try:
        memory = b"\x01" * (taken * 1024**2)
    except MemoryError:
        raise RuntimeError(f"probe.memory_hog: the system refused {taken} MiB: ask for less.") from None
    if not again:
        time.sleep(hold)
    del memory
    return {"megabytes": taken, "rss_kib": int(mem_rss()), "pid": os.getpid(), "redelivered": again}


# `task_retry_on_worker_lost` waits for the delay of the task, three minutes unless the task says otherwise
# (celery 5.7, worker/request.py, _retry_worker_lost).
@probe("crash", bind=True, default_retry_delay=1)
def crash(self: BoundTask, times: int = 1) -> dict[str, Any]:
    """SIGKILL the pool child that runs this, as the kernel's OOM killer would.

    Args:
        self: the bound task.
        times: how often, 1 to 10, where someone counts: `task_retry_on_worker_lost` sends the message again
            with one retry more. A redelivered message carries no count and is spared at once.

    Returns:
        Only from a run that was spared, and so was brought back: crashed (retries so far), redelivered, pid.
        Lost for good, the result is FAILURE with WorkerLostError.

    Raises:
        ValueError: if times is outside its limits.
        RuntimeError: if the pool has no children (solo, threads, gevent, eventlet): the worker would die.
    """
    within("probe.crash", "times", times, 1, MAX_CRASHES)
    again = redelivered(self.request)
    if again or self.request.retries >= times:
        return {"crashed": self.request.retries, "redelivered": again, "pid": os.getpid()}
    if current_process().name == "MainProcess":
        raise RuntimeError(
            "probe.crash would kill the worker itself: this pool has no child processes; "
            "send it to a queue of a prefork worker."
        )
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a process outlived its own SIGKILL")
