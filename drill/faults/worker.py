"""What happens to a worker process."""

from __future__ import annotations

from functools import partial

from drill.faults.fault import Fault, Heal, over
from drill.targets.target import Target

ALL = 10_000  # children: more than a pool has


def _kill_main(target: Target, name: str) -> Heal:
    target.kill_main(name)
    return partial(target.start, name)


def _kill_all(target: Target, name: str) -> Heal:
    target.kill(name)
    return partial(target.start, name)


def _kill_child(target: Target, name: str) -> Heal:
    target.kill_children(name, 1)
    return over


def _kill_children(target: Target, name: str) -> Heal:
    target.kill_children(name, ALL)
    return over


def _warm(target: Target, name: str) -> Heal:
    target.stop(name, "TERM")
    return partial(target.start, name)


def _cold(target: Target, name: str) -> Heal:
    target.stop(name, "QUIT")
    return partial(target.start, name)


def _pause(target: Target, name: str) -> Heal:
    target.pause(name)
    return partial(target.resume, name)


def _roll(target: Target, _: str) -> Heal:
    """Restart one after the other, each only when the one before it is started."""
    for worker in target.workers:
        target.stop(worker, "TERM")
        target.start(worker)
    return over


WORKER = (
    Fault("worker-kill", "kill -9 of a worker's main process", "worker", _kill_main, loses=1),
    Fault("worker-kill-all", "kill -9 of a worker and its children", "worker", _kill_all, loses=1),
    Fault("worker-away", "a worker killed, started after seconds", "worker", _kill_all, (3, 5), loses=1),
    Fault("worker-term", "a worker stopped by SIGTERM: warm", "worker", _warm),
    Fault("worker-quit", "a worker stopped by SIGQUIT: cold", "worker", _cold),
    Fault("worker-pause", "a worker stands still for a moment", "worker", _pause, (1, 2)),
    Fault(
        "worker-freeze",
        "a worker stands still for longer than the visibility timeout of containers",
        "worker",
        _pause,
        (9, 10),
    ),
    Fault("worker-roll", "all workers restarted, one after the other", "worker", _roll),
    Fault("child-kill", "kill -9 of a pool child", "worker", _kill_child),
    Fault("children-kill", "kill -9 of all children of a pool", "worker", _kill_children),
)
