"""Time two commands in turn, so that a machine whose speed drifts is fair to both."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

TIMEOUT = 300.0  # seconds that one run may take
Check = Callable[[str], None]  # raises where the output shows a run that does not count


@dataclass(frozen=True)
class Pair:
    """Medians in seconds, and the median of the ratios run by run."""

    ours: float
    rival: float
    ratio: float
    runs: int


def accept(output: str) -> None:
    """Take any run that exits with 0."""


def seconds(command: Sequence[str], check: Check = accept, timeout: float = TIMEOUT) -> float:
    """Return the wall time of a command.

    Raises:
        RuntimeError: if it fails; the message holds the end of its output.
    """
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    taken = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    check(done.stdout)
    return taken


def compare(ours: Sequence[str], rival: Sequence[str], runs: int = 5, check: Check = accept) -> Pair:
    """Run both in turn, after one run of each that is not counted."""
    seconds(ours, check), seconds(rival, check)
    pairs = [(seconds(ours, check), seconds(rival, check)) for _ in range(runs)]
    return Pair(
        ours=statistics.median(a for a, _ in pairs),
        rival=statistics.median(b for _, b in pairs),
        ratio=statistics.median(a / b for a, b in pairs),
        runs=runs,
    )
