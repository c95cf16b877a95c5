"""A long task that reports how far it is."""

from __future__ import annotations

import time
from typing import Any

from tasks.probe.bounds import HOUR, within
from tasks.probe.declare import BoundTask, probe

STATE = "PROGRESS"
MAX_STAGES = 1000


@probe("long", bind=True)
def long(self: BoundTask, stages: int | list[str] = 5, seconds: float = 1.0) -> dict[str, Any]:
    """Work through stages; after each, store state PROGRESS with meta {current, total, stage, percent}.

    Args:
        self: the bound task.
        stages: the names of the stages, or how many: 1 to 1000.
        seconds: of each stage; all together at most 3600.

    Returns:
        stages (their names), total (how many), elapsed (seconds), started_at and finished_at.

    Raises:
        ValueError: if an argument is outside its limits.
    """
    names = _names(stages)
    within("probe.long", "seconds", seconds, 0, HOUR, "s")
    within("probe.long", "stages x seconds", len(names) * seconds, 0, HOUR, "s")
    started, started_at = time.monotonic(), time.time()
    for current, stage in enumerate(names, start=1):
        time.sleep(seconds)
        # No id: called as a function, and there is nowhere to report to.
        if self.request.id:
            percent = round(100 * current / len(names), 1)
            meta = {"current": current, "total": len(names), "stage": stage, "percent": percent}
            self.update_state(state=STATE, meta=meta)
    told = {"stages": names, "total": len(names), "elapsed": time.monotonic() - started}
    return {**told, "started_at": started_at, "finished_at": time.time()}


def _names(stages: int | list[str]) -> list[str]:
    if isinstance(stages, list):
        within("probe.long", "number of stages", len(stages), 1, MAX_STAGES)
        return [str(stage) for stage in stages]
    within("probe.long", "stages", stages, 1, MAX_STAGES)
    return [f"stage {number}" for number in range(1, int(stages) + 1)]
