"""Time two commands in turn, so that a machine whose speed drifts is fair to both."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

TIMEOUT = 300  # seconds that one run may take


@dataclass(frozen=True)
class Pair:
    """Medians in seconds, and the median of the ratios run by run."""

    ours: float
    rival: float
    ratio: float
    runs: int


def seconds(command: Sequence[str]) -> float:
    """Return the wall time of a command.

    Raises:
        RuntimeError: if it fails; the message holds the end of its output.
    """
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    taken = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return taken


def compare(ours: Sequence[str], rival: Sequence[str], runs: int = 5) -> Pair:
    """Run both in turn, after one run of each that is not counted."""
    seconds(ours), seconds(rival)
    pairs = [(seconds(ours), seconds(rival)) for _ in range(runs)]
    return Pair(
        ours=statistics.median(a for a, _ in pairs),
        rival=statistics.median(b for _, b in pairs),
        ratio=statistics.median(a / b for a, b in pairs),
        runs=runs,
    )
