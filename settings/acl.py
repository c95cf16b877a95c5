"""Users of Redis and the least rights each needs, derived from queues, key prefix and Redis version.

Keys and commands were found by MONITOR and an empty ACL LOG under Celery 5.7 with retry, ETA, chord, group,
chain, priority, events, inspect, revoke and forget, on Redis 6.2, 7.0 and 8.0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from settings.fleet import Fleet, HostSettings
from settings.model.redis import RedisInstance

BUILT_IN = ("admin", "worker", "producer", "control", "verifier", "flower", "exporter", "health")

# kombu joins a queue and its priority by these two characters; ? stands for either (kombu transport/redis.py)
SEPARATOR = "??"
TRANSACTION = "+multi +exec +watch +unwatch"
UNACKED = ("unacked", "unacked_index", "unacked_mutex")
BINDINGS = ("_kombu.binding.*", "_kombu.binding_permanent.*", "_kombu.binding_deadlines")
RESULTS = ("celery-task-meta-*", "celery-taskset-meta-*")
READ_QUEUES = (
    f"+ping +select {TRANSACTION} +time +brpop +rpush +lpush +llen +exists +del +get +set +hget +hset +hdel +zrange "
    "+zrangebyscore +zadd +zrem +sadd +srem +smembers +sismember +publish +subscribe +unsubscribe +evalsha "
    "+script|load +script|exists"
)

COMMANDS = {
    "worker": f"+ping +select {TRANSACTION} +time +brpop +lpush +rpush +llen +del +hset +hget +hdel +zadd +zrem +zrange "
    "+zrangebyscore +zcount +sadd +srem +smembers +sismember +exists +get +mget +set +setex +expire +incr +publish "
    "+subscribe +unsubscribe +psubscribe +punsubscribe +evalsha +script|load +script|exists",
    "producer": "+ping +select +multi +exec +lpush +llen +sadd +smembers +publish +subscribe +unsubscribe +get +mget +set +del",
    "control": READ_QUEUES,
    "verifier": READ_QUEUES + " +mget +ttl +pttl",
    "flower": READ_QUEUES + " +psubscribe +punsubscribe",
    "exporter": "+ping +info +client|setname +client|list +config|get +slowlog|get +slowlog|len +latency|latest +select "
    "+type +llen +hlen +strlen",
    "health": "+ping",
    # what the roles and verify ask and tell; neither data nor FLUSHALL, DEBUG, EVAL
    "admin": "+ping +info +config|get +config|set +config|resetstat +acl +client +command +dbsize +latency +slowlog +memory|usage "
    "+memory|stats +memory|doctor +bgrewriteaof +bgsave +lastsave +role +replicaof +wait +select +type +ttl +llen +hlen +zcard "
    "+scard +exists +shutdown +time",
}


@dataclass(frozen=True)
class User:
    """One line of an ACL file."""

    name: str
    rules: str

    @property
    def line(self) -> str:
        """The line as redis.conf's aclfile holds it."""
        return f"user {self.name} {self.rules}"


def required_users(fleet: Fleet) -> set[str]:
    """Return the built-in users that need a password in this fleet."""
    needed = {"admin", "worker", "producer", "control", "verifier", "health"}
    if fleet.members("flower"):
        needed.add("flower")
    return needed


def _keys(names: Iterable[str], prefix: str, *, read_only: bool = False) -> str:
    mark = "%R~" if read_only else "~"
    return " ".join(f"{mark}{prefix}{name}" for name in names)


def _queue_keys(queues: Iterable[str]) -> list[str]:
    return [key for queue in queues for key in (queue, f"{queue}{SEPARATOR}*")]


def permissions(role: str, *, queues: list[str], broker_db: int, prefix: str, version: tuple[int, int]) -> str:
    """Return the key, channel and command rules of a role.

    Args:
        role: one of `BUILT_IN`.
        queues: the queues of all applications of this instance.
        broker_db: database of the queues; kombu prefixes fanout channels with it.
        prefix: `celery_global_keyprefix`.
        version: (major, minor) of the oldest server; before 7.0 there are no read-only keys.
    """
    queue_keys = _queue_keys(queues)
    reply = ["*.reply.celery.pidbox", f"*.reply.celery.pidbox{SEPARATOR}*"]
    any_reply = ["*.celery.pidbox", f"*.celery.pidbox{SEPARATOR}*"]
    shared = [*queue_keys, *UNACKED, *BINDINGS]
    pidbox, events = f"&{prefix}/{broker_db}.celery.pidbox", f"&{prefix}/{broker_db}.celeryev/*"
    sent, results = f"&{prefix}/{broker_db}.celeryev/task.sent", f"&{prefix}celery-task-meta-*"
    read_only = version >= (7, 0)
    keys = {
        "worker": _keys([*shared, *any_reply, "celeryev.*", *RESULTS], prefix),
        "producer": _keys([*queue_keys, *(f"_kombu.binding.{queue}" for queue in queues), *(f"_kombu.binding_permanent.{queue}" for queue in queues), *RESULTS], prefix),
        "control": f"{_keys([*shared, *reply], prefix)} {_keys(RESULTS, prefix, read_only=read_only)}",
        "verifier": _keys([*shared, *reply, *RESULTS], prefix),
        "flower": f"{_keys([*shared, *reply, 'celeryev.*'], prefix)} {_keys(RESULTS, prefix, read_only=read_only)}",
        "exporter": _keys([*queue_keys, "unacked"], prefix, read_only=read_only),
        "health": "",
        "admin": "~*",
    }[role]
    channels = {
        "worker": f"{pidbox} {events} &{prefix}/{broker_db}.celeryev/worker.* {results}",
        "producer": f"{sent} {results}",
        "control": f"{pidbox} {sent} {results}",
        "verifier": f"{pidbox} {sent} {results}",
        "flower": f"{pidbox} {events}",
    }.get(role, "")
    named = " +client|setinfo" if version >= (7, 2) else ""
    parts = ["resetchannels", channels, "resetkeys", keys, "-@all", COMMANDS[role] + named]
    return " ".join(part for part in parts if part)


def _hashes(*passwords: str | None) -> str:
    return " ".join(f"#{hashlib.sha256(password.encode()).hexdigest()}" for password in passwords if password)


def users(fleet: Fleet, host: HostSettings, instance: RedisInstance) -> list[User]:
    """Return all users of an instance, `default` switched off."""
    queues = fleet.queues_of(instance.name)
    owner = next((other for other in fleet.celery_hosts() if other.celery.broker_instance == instance.name), host)
    version = (int(host.redis.version.split(".")[0]), int(host.redis.version.split(".")[1]))

    def user(name: str, role: str, *passwords: str | None) -> User:
        rules = permissions(
            role, queues=queues, broker_db=owner.celery.broker_db, prefix=owner.celery.global_keyprefix, version=version
        )
        return User(name, f"on {_hashes(*passwords)} {rules}")

    previous = host.redis.previous_passwords
    result = [User("default", "off resetpass resetchannels resetkeys -@all")]
    for name in BUILT_IN:
        if name in host.redis.passwords:
            old = previous[name].get_secret_value() if name in previous else None
            result.append(user(name, name, host.redis.passwords[name].get_secret_value(), old))
    for entry in host.redis.acl_users:
        old = entry.previous_password.get_secret_value() if entry.previous_password else None
        result.append(user(entry.name, entry.role, entry.password.get_secret_value(), old))
    return result
