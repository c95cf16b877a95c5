"""What happens to the network of a host."""

from __future__ import annotations

from functools import partial

from drill.faults.fault import Fault, Heal
from drill.targets.target import Cut, Target

SLOW = "128kbit"
NETWORK_ABILITY = frozenset({"network"})


def _cut(target: Target, name: str, how: Cut) -> Heal:
    host = name.rpartition("@")[2]
    target.cut(host, how)
    return partial(target.heal, host)


def _slow(target: Target, name: str) -> Heal:
    host = name.rpartition("@")[2]
    target.throttle(host, SLOW)
    return partial(target.heal, host)


_silent, _refused = partial(_cut, how="drop"), partial(_cut, how="reject")

_network = partial(Fault, needs=NETWORK_ABILITY)

# A silent cut is noticed after celery_socket_timeout, and the connection tried again after that.
NETWORK = (
    _network("redis-cut", "no packet reaches Redis, silently", "redis", _silent, (3, 7), loses=1, within=15),
    _network("redis-refused", "connections to Redis are refused", "redis", _refused, (2, 4), loses=1),
    _network("redis-slow", f"Redis answers at {SLOW}", "redis", _slow, (3, 5)),
    _network("worker-cut", "no packet reaches a worker, silently", "worker", _silent, (3, 7), loses=1, within=15),
    _network("worker-refused", "a worker's connections are refused", "worker", _refused, (2, 4), loses=1),
)
