"""Whether a generator kept its own schedule: one that falls behind measures itself, not the system."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import gevent

from loadtests.generator.call import clock

LAG = 0.05  # seconds that an arrival may be late
LATE = 0.01  # share of arrivals that may be later than that
BUSY = 0.9  # share of one core: beyond it, answers wait for the generator
LEAST = 1.0  # seconds for which that has to go on: a single task takes all of its moment
STILL = 1.0  # seconds that nothing may happen: results that came meanwhile look as late as that
LOOK = 0.1  # seconds between two looks


@dataclass
class Pace:
    """How one process kept to the arrivals of a schedule."""

    arrivals: int = 0
    late: int = 0
    worst: float = 0.0  # seconds that an arrival was late
    busy: float = 0.0  # share of one core in the busiest stretch of LEAST seconds
    still: float = 0.0  # seconds that a look was late: nobody had a turn

    def arrived(self, lag: float) -> None:
        """Count an arrival that was so many seconds late."""
        self.arrivals += 1
        if lag > LAG:
            self.late += 1
        self.worst = max(self.worst, lag)

    def watch(self) -> None:
        """Look again and again, for ever, whether the process gets its turn: results have to be read, too."""
        began, used = clock(), time.process_time()
        while True:
            before = clock()
            gevent.sleep(LOOK)
            self.looked(clock() - before - LOOK)
            wall = clock() - began
            if wall >= LEAST:
                spent = time.process_time()
                self.busy = max(self.busy, (spent - used) / wall)
                began, used = began + wall, spent

    def looked(self, lag: float) -> None:
        """Count a look that was so many seconds late."""
        self.still = max(self.still, lag)

    def told(self) -> dict[str, Any]:
        """Return plain data, for the master."""
        return asdict(self)

    @property
    def complaint(self) -> str:
        """What is wrong with it, in words; empty if nothing is."""
        if self.arrivals and self.late > LATE * self.arrivals:
            return f"{self.late} of {self.arrivals} arrivals were over {LAG:g} s late, the worst {self.worst:.3g} s"
        if self.busy > BUSY:
            return f"it used {self.busy:.0%} of a core for a second"
        if (still := max(self.still, self.worst)) > STILL:
            return f"it stood still for {still:.3g} s"
        return ""


def verdict(paces: Iterable[Pace], generators: int) -> str:
    """Return what makes a run void, in one sentence; empty if the generators kept the schedule.

    Args:
        paces: of the generators that told theirs.
        generators: how many were asked.
    """
    told = list(paces)
    complaints = [pace.complaint for pace in told if pace.complaint]
    if len(told) < generators:
        complaints.append(f"{generators - len(told)} of {generators} generators did not come to their end")
    if not complaints:
        return ""
    return (
        f"The generator was too slow for the asked rate: {'; '.join(complaints)}. These figures are not the system's: "
        "ask for less, or give it more processes (--processes) or hosts."
    )
