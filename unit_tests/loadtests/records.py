"""Hand-made records of runs."""

from __future__ import annotations

from typing import Any

from loadtests.figures import RUN, WAIT, WHOLE, Figures
from loadtests.record import Happened, Record, Sample, Verdict
from settings.model.load import LoadProfile

MIB = 1024**2
SECONDS, RATE = 10, 5


def profile(**otherwise: Any) -> LoadProfile:
    """Return a workload of one kind of task."""
    said = {"name": "made", "tasks": [{"name": "short", "task": "probe.add"}]}
    return LoadProfile.model_validate({**said, "phases": [{"seconds": SECONDS, "rate": RATE}], **otherwise})


def verdict(
    measure: str = "end_to_end_p95", value: float | None = 0.1, bound: float = 0.2, **otherwise: Any
) -> Verdict:
    """Return what became of an objective."""
    said = {"task": None, "unit": "s", "kept": value is not None and value <= bound, **otherwise}
    return Verdict(f"{measure} at most {bound:g} {said['unit']}", measure, said.pop("task"), bound, value, **said)


def record(task: str = "short", error: str = "", **otherwise: Any) -> Record:
    """Return a run of ten seconds with a stall in the seventh."""
    figures = Figures(1_000.0)
    for second in range(SECONDS):
        for number in range(RATE):
            time = 900.0 if second == 7 else 10.0 + number
            figures.took(second, WHOLE, task, time)
            figures.took(second, WAIT, task, time - 5)
            figures.took(second, RUN, task, 5)
        figures.ended[second] = RATE
    if error:
        figures.failed(7, task, error)
    samples = [
        Sample(float(at), {"fast": 3 * at, "slow": 0}, 2, 2 * MIB + at, {"main-1": 90 * MIB}) for at in range(SECONDS)
    ]
    said: dict[str, Any] = {"profile": profile(), "drained": 1.5, "redis_maxmemory": 64 * MIB, **otherwise}
    said = {"inventory": "integration", "command": "make load", "date": "2026-11-25T12:00:00Z", **said}
    return Record(figures=figures, samples=said.pop("samples", samples), **said)


def fault(name: str = "redis-kill", at: float = 7.0, until: float = 8.0) -> Happened:
    """Return a fault."""
    return Happened(at, until, name, "redis-1")
