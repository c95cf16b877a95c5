"""A task that meets its soft time limit as a task should: it stops, cleans up and answers."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded

from tasks.probe.bounds import HOUR, within
from tasks.probe.declare import probe


@probe("soft_limit")
def soft_limit(seconds: float = 30.0) -> dict[str, Any]:
    """Work with a temporary file until the soft time limit, then remove the file.

    The limit is the worker's `task_soft_time_limit` or `apply_async(soft_time_limit=…)`. Only prefork
    enforces it: under another pool, or with a limit longer than the work, the answer says limited: false.

    Args:
        seconds: of work if nothing stops it: 0 to 3600.

    Returns:
        limited: whether SoftTimeLimitExceeded came.
        cleaned: whether the file is gone.
        after: seconds from start to the end of the work.

    Raises:
        ValueError: if seconds is outside its limits.
    """
    within("probe.soft_limit", "seconds", seconds, 0, HOUR, "s")
    started = time.monotonic()
    limited, path = False, ""
    try:  # round all of it: on a busy host the limit may come before the file is there
        with tempfile.NamedTemporaryFile(prefix="probe-soft-limit-") as half_done:
            path = half_done.name
            time.sleep(seconds)
    except SoftTimeLimitExceeded:
        limited = True
    after = time.monotonic() - started
    return {"limited": limited, "cleaned": not path or not Path(path).exists(), "after": after}
