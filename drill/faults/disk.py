"""What happens to the disk of Redis."""

from __future__ import annotations

from functools import partial

from drill.faults.fault import Fault, Heal
from drill.targets.target import Target

DISK_ABILITY = frozenset({"disk"})


def _cut_power(target: Target, name: str) -> Heal:
    target.cut_power(name)
    return partial(target.start, name)


def _fill(target: Target, _: str) -> Heal:
    target.fill_disk()
    return target.empty_disk


DISK = (
    # everysec: what was accepted within the last second, or a hair more, may not be on the disk (test_persistence_power.py)
    Fault("power-cut", "a power cut of Redis' host", "redis", _cut_power, loses=1, window=1.1, needs=DISK_ABILITY),
    # The gap: a waiting worker is handed the first task before Redis notices; that it took it, is refused already.
    Fault("disk-full", "the disk of Redis is full", "redis", _fill, (2, 4), loses=1, within=15, needs=DISK_ABILITY),
)
