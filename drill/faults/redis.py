"""What happens to a Redis server."""

from __future__ import annotations

import contextlib
from functools import partial

from redis import RedisError

from drill.faults.fault import Fault, Heal, over
from drill.targets.target import Target

LITTLE = "1mb"  # less than an idle Redis has in use: nothing more is taken
CROWD = "99"  # replicas: more than any Redis has


def _kill(target: Target, name: str) -> Heal:
    target.kill(name)
    return partial(target.start, name)


def _restart(target: Target, name: str) -> Heal:
    target.stop(name)
    return partial(target.start, name)


def _pause(target: Target, name: str) -> Heal:
    target.pause(name)
    return partial(target.resume, name)


def _drop_connections(target: Target, name: str) -> Heal:
    with target.admin(name) as admin:
        for kind in ("normal", "pubsub"):
            admin.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    return over


def _configure(target: Target, name: str, option: str, value: str) -> Heal:
    with target.admin(name) as admin:
        before = admin.config_get(option)[option]
        admin.config_set(option, value)

    def heal() -> None:
        with target.admin(name) as admin:
            admin.config_set(option, before)

    return heal


def _kill_in_rewrite(target: Target, name: str) -> Heal:
    with target.admin(name) as admin, contextlib.suppress(RedisError):  # one is under way already
        admin.bgrewriteaof()
    return _kill(target, name)


_full = partial(_configure, option="maxmemory", value=LITTLE)
_alone = partial(_configure, option="min-replicas-to-write", value=CROWD)

REDIS = (
    Fault("redis-kill", "kill -9 of Redis, started at once", "redis", _kill, loses=1),
    Fault("redis-away", "kill -9 of Redis, started after seconds", "redis", _kill, (3, 5), loses=1),
    Fault("redis-restart", "Redis stopped by SIGTERM and started", "redis", _restart, loses=1),
    Fault("redis-pause", "Redis stands still for a moment", "redis", _pause, (1, 2)),
    Fault("redis-freeze", "Redis stands still for longer than clients wait", "redis", _pause, (6, 8), loses=1),
    Fault("redis-connections", "all connections to Redis are closed", "redis", _drop_connections, loses=1),
    Fault("redis-memory", "Redis has no memory left", "redis", _full, (2, 4), loses=1, within=15),
    Fault("redis-writes", "Redis takes no writes: replicas are missing", "redis", _alone, (2, 4), loses=1, within=15),
    Fault("redis-rewrite-kill", "kill -9 of Redis in a rewrite of its AOF", "redis", _kill_in_rewrite, loses=1),
)
