"""When the tasks of a workload arrive."""

from __future__ import annotations

from pathlib import Path

from loadtests.generator.arrivals import Piece, Rates, Schedule, Trace
from settings.model.load import LoadProfile


def schedule_of(profile: LoadProfile) -> Schedule:
    """Return the schedule of a profile.

    Raises:
        ValueError: if nothing ever arrives, or the trace is none.
        OSError: if the trace cannot be read.
    """
    if profile.trace:
        lines = Path(profile.trace).read_text(encoding="utf-8").split()
        return Trace([float(line) for line in lines], profile.speed)
    return Rates(
        [Piece(phase.seconds, phase.rate, phase.rate if phase.to is None else phase.to) for phase in profile.phases]
    )
