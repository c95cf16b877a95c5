"""Records by hand: what a run would have measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loadtests.figures import WAIT, WHOLE, Figures
from loadtests.record import Record, Sample
from settings.model.load import LoadProfile, LoadSlo

MIB = 1024**2


def profile(**said: Any) -> LoadProfile:
    """Return a workload of twelve seconds, of which two are the warm-up."""
    tasks = [
        {"name": "short", "task": "probe.add", "args": [1, 2]},
        {"name": "wait", "task": "probe.sleep", "args": [0]},
    ]
    base = {"name": "unit", "tasks": tasks, "phases": [{"seconds": 12, "rate": 10}], "warm_up": 2}
    return LoadProfile.model_validate({**base, **said})


def record(figures: Figures | None = None, samples: list[Sample] | None = None, **said: Any) -> Record:
    """Return a run."""
    base: dict[str, Any] = {
        "inventory": "unit",
        "profile": profile(),
        "command": "make load",
        "date": "2026-11-25T12:00:00+00:00",
        "drained": 0.5,
        "redis_maxmemory": 64 * MIB,
    }
    return Record(figures=figures or Figures(), samples=samples or [], **{**base, **said})


def figures(
    milliseconds: Sequence[float] | None = None,
    *,
    task: str = "short",
    errors: list[str] | None = None,
    waits: Sequence[float] | None = None,
    second: int = 5,
    into: Figures | None = None,
) -> Figures:
    """Return measurements of tasks that were all due in one second."""
    made = into or Figures()
    for time in milliseconds or []:
        made.took(second, WHOLE, task, time)
        made.ended[second] += 1
    for time in waits or []:
        made.took(second, WAIT, task, time)
    for error in errors or []:
        made.failed(second, task, error)
    return made


def slo(measure: str, **said: Any) -> LoadSlo:
    """Return an objective."""
    return LoadSlo.model_validate({"measure": measure, **said})
