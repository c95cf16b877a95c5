"""How much of a host a unit leaves open: the figure of `systemd-analyze security`, and the bound that it must keep.

0.0 is sealed, 10.0 is open. Measured on Debian 12 (systemd 252) and 13 (257): Celery's units 1.0 where
`celery_networks` confines them and 1.1 where it does not; Redis 1.1, generators of load 1.1,
as ZeroMQ sets the scheduling of its threads. What remains is the network itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

# Unit name's beginning → highest figure. The order matters not: no beginning is one of another.
BOUNDS = {"celery-": 1.0, "locust-": 1.1, "redis-": 1.2, "sentinel": 1.2}
Run = Callable[[Sequence[str]], str]
"""Runs a command on a host; returns what it printed."""


def exposures(run: Run, *units: str) -> dict[str, float]:
    """Return unit → exposure.

    Args:
        run: runs a command on the host.
        units: names with their suffix, as `celery-worker@fast-1.service`.

    Raises:
        LookupError: if systemd-analyze names no figure for a unit.
    """
    return {unit: _figure(unit, run(["systemd-analyze", "security", "--no-pager", unit])) for unit in units}


def _figure(unit: str, printed: str) -> float:
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", printed)
    if not found:
        raise LookupError(f"systemd-analyze says nothing of {unit}: {printed.strip()[-200:]!r}")
    return float(found[1])


def bound(unit: str) -> float:
    """Return the highest figure that a unit may have.

    Raises:
        LookupError: of a unit that has no bound.
    """
    for beginning, highest in BOUNDS.items():
        if unit.startswith(beginning):
            return highest
    raise LookupError(f"{unit} has no bound in {__name__}")


def beyond(run: Run, *units: str) -> dict[str, tuple[float, float]]:
    """Return unit → (figure, bound) of those that are more open than they may be."""
    return {unit: (figure, bound(unit)) for unit, figure in exposures(run, *units).items() if figure > bound(unit)}
