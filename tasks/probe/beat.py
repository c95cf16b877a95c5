"""The sign of life of beat: a periodic task that leaves its time where a reader of results finds it."""

from __future__ import annotations

import os
import time
from typing import Any

from tasks.probe.declare import BoundTask, probe

HEARTBEAT_ID = "probe-heartbeat"
# Not SUCCESS: the backend keeps a stored SUCCESS and drops every later write to the same id (celery 5.7,
# backends/base.py, KeyValueStoreBackend._store_result), so the first heartbeat would stay the last.
HEARTBEAT_STATE = "HEARTBEAT"


@probe("heartbeat", bind=True)
def heartbeat(self: BoundTask) -> dict[str, Any]:
    """Store the time under the fixed result id `probe-heartbeat`, for `AsyncResult("probe-heartbeat").info`.

    Its state is HEARTBEAT; PENDING means that none came within `result_expires`. The setting
    `celery_beat_schedule` says how often it comes.

    Returns:
        at (seconds since the epoch), worker (node name) and pid; the same is stored.
    """
    beat = {"at": time.time(), "worker": self.request.hostname, "pid": os.getpid()}
    self.backend.store_result(HEARTBEAT_ID, beat, HEARTBEAT_STATE)
    return beat
