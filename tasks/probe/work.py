"""Tasks that use what real ones use: the CPU, the disk, time, and the size of their message."""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

from tasks.probe.bounds import HOUR, within
from tasks.probe.declare import probe

MAX_COMPUTE = 60.0
MAX_KILOBYTES = 65_536
BLOCK = 65_536
TURNS = 200  # of arithmetic between two looks at the clock: some microseconds


@probe("compute")
def compute(seconds: float) -> dict[str, Any]:
    """Use the CPU: so much time of it for this thread, however long that takes on a busy host.

    Args:
        seconds: 0 to 60.

    Returns:
        started_at, finished_at, pid, and cpu: seconds of CPU time that were used.

    Raises:
        ValueError: if seconds is outside its limits.
    """
    within("probe.compute", "seconds", seconds, 0, MAX_COMPUTE, "s")
    started = time.time()
    used = _burn(seconds)
    return {"started_at": started, "finished_at": time.time(), "pid": os.getpid(), "cpu": used}


@probe("file")
def file(kilobytes: int = 64) -> dict[str, Any]:
    """Use the disk: write a temporary file, have it on the disk (fsync), read it back, remove it.

    Args:
        kilobytes: KiB to write: 1 to 65536.

    Returns:
        started_at, finished_at, pid, and read: KiB that were read back.

    Raises:
        ValueError: if kilobytes is outside its limits.
        OSError: if the disk has no room, or the worker may not write to its temporary directory.
    """
    within("probe.file", "kilobytes", kilobytes, 1, MAX_KILOBYTES, "KiB")
    started, size = time.time(), int(kilobytes) * 1024
    block = os.urandom(min(size, BLOCK))  # what a file system that compresses cannot make smaller
    with tempfile.TemporaryFile(prefix="probe-file-") as written:
        for begin in range(0, size, BLOCK):
            written.write(block[: size - begin])
        written.flush()
        os.fsync(written.fileno())
        written.seek(0)
        read = sum(len(part) for part in iter(lambda: written.read(BLOCK), b""))
    return {"started_at": started, "finished_at": time.time(), "pid": os.getpid(), "read": read // 1024}


@probe("work")
def work(payload: Any = None, wait: float = 0.0, compute: float = 0.0) -> dict[str, Any]:
    """Take a payload, wait as for somebody else's answer, and compute: the shape of most real tasks.

    The payload comes first, so that in a chain it is what the task before returned.

    Args:
        payload: any JSON value; it is not returned, so that a large message has a small result.
        wait: seconds without the CPU: 0 to 3600.
        compute: seconds of CPU time after that: 0 to 60.

    Returns:
        started_at, finished_at and pid.

    Raises:
        ValueError: if a time is outside its limits.
    """
    del payload
    within("probe.work", "wait", wait, 0, HOUR, "s")
    within("probe.work", "compute", compute, 0, MAX_COMPUTE, "s")
    started = time.time()
    if wait:
        time.sleep(wait)
    _burn(compute)
    return {"started_at": started, "finished_at": time.time(), "pid": os.getpid()}


def _burn(seconds: float) -> float:
    """Compute until this thread has used so much CPU time; return how much it was, in seconds."""
    began = time.thread_time()
    value = 1
    while (used := time.thread_time() - began) < seconds:
        for _ in range(TURNS):
            value = value * 1_103_515_245 % 2_147_483_647
    return used
