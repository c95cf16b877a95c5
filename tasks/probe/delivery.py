"""Tasks that make visible when a message was handed out: priority order, expiry, rate limit."""

from __future__ import annotations

import os
import time
from typing import Any

from tasks.probe.declare import probe


@probe("priority")
def priority(tag: str) -> dict[str, Any]:
    """Report the start under a tag, so that the order of several messages can be compared.

    On the stock Redis transport 0 is the highest of four steps (0, 3, 6, 9) and needs `queue_order_strategy`;
    celery-redis-plus takes 255 for the highest. Prefetched messages are no longer reordered.

    Returns:
        tag, pid, monotonic (comparable on one host) and started_at.
    """
    return {"tag": tag, "pid": os.getpid(), "monotonic": time.monotonic(), "started_at": time.time()}


@probe("noop")
def noop() -> dict[str, Any]:
    """Do nothing; sent with `expires=`, a message that came too late ends as REVOKED and returns nothing.

    Returns:
        started_at.
    """
    return {"started_at": time.time()}


# The one limit that stands in code: it is what the probe is about. Per worker instance, not per fleet; a
# configured task_annotations for this name replaces it.
@probe("rate_limited", rate_limit="10/s")
def rate_limited() -> dict[str, Any]:
    """Report the start; one worker starts at most 10 a second, evenly, whatever is queued.

    Returns:
        pid, monotonic and started_at.
    """
    return {"pid": os.getpid(), "monotonic": time.monotonic(), "started_at": time.time()}
