"""What happens to several services at once."""

from __future__ import annotations

from drill.faults.fault import Fault, Heal
from drill.targets.target import Target


def _kill(target: Target, *names: str) -> Heal:
    for name in names:
        target.kill(name)

    def heal() -> None:
        for name in names:
            target.start(name)

    return heal


def _redis_and_worker(target: Target, name: str) -> Heal:
    return _kill(target, name, target.workers[0])


def _all_workers(target: Target, _: str) -> Heal:
    return _kill(target, *target.workers)


BOTH = (
    Fault("redis-and-worker", "Redis and a worker killed at once", "redis", _redis_and_worker, (0, 1), loses=1),
    Fault("workers-away", "all workers killed at once", "worker", _all_workers, (1, 2), loses=2),
)
