"""Users of Redis and the least rights each needs, derived from queues, key prefix and Redis version.

Keys and commands were found by MONITOR and an empty ACL LOG under Celery 5.7 with retry, ETA, chord, group,
chain, priority, events, inspect, revoke and forget, on Redis 6.2, 7.0 and 8.0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from settings import acl_plus
from settings.fleet import Fleet, HostSettings
from settings.model.redis import RedisInstance

BUILT_IN = (
    *("admin", "worker", "producer", "control", "verifier", "flower", "exporter", "health"),
    *("backup", "replica", "sentinel"),
)

# kombu joins a queue and its priority by these two characters; ? stands for either (kombu transport/redis.py)
SEPARATOR = "??"
UNACKED = ("unacked", "unacked_index", "unacked_mutex")
BINDINGS = ("_kombu.binding.*", "_kombu.binding_permanent.*", "_kombu.binding_deadlines")
RESULT, GROUP = "celery-task-meta-*", "celery-taskset-meta-*"

_TALK = "+ping +select +multi +exec +watch +unwatch +time"
_CONTROL = (
    f"{_TALK} +brpop +rpush +llen +exists +del +get +mget +set +hget +hdel +zrange +zrangebyscore +zadd +zrem +sadd "
    "+srem +smembers +publish +evalsha +script|load +script|exists"
)
COMMANDS = {
    "worker": f"{_TALK} +brpop +lpush +rpush +llen +del +hset +hget +hdel +zadd +zrem +zrange +zrangebyscore +zcount "
    "+sadd +srem +smembers +sismember +exists +get +set +setex +expire +incr +publish +psubscribe +punsubscribe "
    "+subscribe +unsubscribe +mget +lrange +evalsha +script|load +script|exists",
    "producer": "+ping +select +multi +exec +lpush +llen +exists +sadd +smembers +publish +subscribe +unsubscribe +get "
    "+mget +set +setex +del",
    "control": f"{_CONTROL} +lpush +subscribe +unsubscribe",
    "verifier": f"{_CONTROL} +lpush +subscribe +unsubscribe +setex +hlen +zcard +ttl +pttl",
    "flower": f"{_CONTROL} +psubscribe +punsubscribe",
    "exporter": "+ping +info +client|setname +client|list +config|get +slowlog|get +slowlog|len +latency|latest "
    "+select +type +llen +hlen +strlen",
    "health": "+ping",
    # Neither data nor FLUSHALL, DEBUG, EVAL. It may change users: its password is worth root's.
    "admin": "+ping +time +info +role +wait +dbsize +lastsave +bgrewriteaof +bgsave +command +config|get +config|set "
    "+config|resetstat +config|rewrite +replicaof +acl|whoami +acl|list +acl|users +acl|getuser +acl|setuser +acl|deluser +acl|log +client|id "
    "+client|list +client|info +client|setname +client|kill +latency|latest +latency|history +latency|reset "
    "+slowlog|get +slowlog|len +slowlog|reset +memory|usage +memory|stats +memory|doctor +select +type +exists +ttl "
    "+pttl +scan +llen +hlen +scard +zcard +strlen +pubsub|numsub +pubsub|numpat +pubsub|channels",
    # It has a snapshot written, and reads none of the data.
    "backup": "+ping +info +bgsave",
    # what a replica asks its master
    "replica": "+psync +replconf +ping",
    # what a Sentinel asks the servers that it watches, a failover included
    "sentinel": "+ping +info +role +publish +subscribe +multi +exec +slaveof +replicaof +config|rewrite +client|setname "
    "+client|kill +script|kill",
}
HELLO = "__sentinel__:hello"
# What the same users may do at a Sentinel: find the master; `admin` may change what is watched. Measured like the rest.
_FIND = (
    "+ping +subscribe +psubscribe +unsubscribe +punsubscribe +sentinel|masters +sentinel|master "
    "+sentinel|get-master-addr-by-name +sentinel|replicas +sentinel|slaves +sentinel|sentinels +sentinel|ckquorum"
)
AT_SENTINEL = {
    "admin": "+ping +info +role +sentinel +acl|whoami +acl|list +acl|users +acl|getuser +acl|setuser +acl|deluser +acl|log "
    "+client|id +client|list +client|setname",
    "health": "+ping",
    "backup": "",
    "replica": "",
    "sentinel": "+ping +publish +client|setname +sentinel|is-master-down-by-addr",
}
# Nobody logs in as `default`: it is off and has no password. It keeps all rights, because Redis 7.0 reads its append-only
# file as this user, and throws away every MULTI … EXEC that holds a command the user may not run (docs/decisions/017).
NOBODY = "off sanitize-payload resetpass ~* &* +@all"


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
    if any(host.backed_up for host in fleet):
        needed.add("backup")
    if any(instance.replicaof for host in fleet for instance in host.instances):
        needed.add("replica")
    if fleet.members("sentinel"):
        needed.add("sentinel")
    return needed


def _levels(steps: Iterable[int]) -> list[str]:
    """Return the endings of a queue's priority lists, single digits in one pattern; level 0 has none."""
    used = sorted(step for step in steps if step > 0)
    digits = "".join(str(step) for step in used if len(str(step)) == 1)
    longer = [f"{SEPARATOR}{step}" for step in used if len(str(step)) > 1]
    return ([f"{SEPARATOR}[{digits}]"] if digits else []) + longer


def _client_names(version: tuple[int, int]) -> str:
    """Return what redis-py says of itself at a connect: 7.0 refuses to start with rules for commands it lacks."""
    if version < (7, 0):
        return " +client|setinfo +client|maint_notifications"  # on 6.2 an unknown subcommand is a denied `client`
    return " +client|setinfo" if version >= (7, 2) else ""


def permissions(
    role: str,
    *,
    queues: list[str],
    steps: list[int],
    broker_db: int,
    prefix: str,
    version: tuple[int, int],
    transport: str = "redis",
) -> str:
    """Return the key, channel and command rules of a role.

    Args:
        role: one of `BUILT_IN`.
        queues: the queues of all applications of this instance.
        steps: `celery_priority_steps`.
        broker_db: database of the queues; kombu prefixes fanout channels with it.
        prefix: `celery_global_keyprefix`.
        version: (major, minor) of the oldest server; before 7.0 there are no read-only keys.
        transport: `celery_transport`.
    """
    read = "%R~" if version >= (7, 0) else "~"
    if transport == "redis-plus" and role in acl_plus.COMMANDS:
        listen, touch, look = acl_plus.rights(role, queues, broker_db)
        marked = [*(f"~{prefix}{key}" for key in touch), *(f"{read}{prefix}{key}" for key in look)]
        commands = acl_plus.COMMANDS[role]
        return _rules([f"&{prefix}{channel}" for channel in listen], marked, commands, version)
    levels = _levels(steps)

    def keys(*names: str, mark: str = "~") -> list[str]:
        return [f"{mark}{prefix}{name}" for name in names]

    def channels(*names: str) -> list[str]:
        return [f"&{prefix}{name}" for name in names]

    lists = [name for queue in queues for name in (queue, *(queue + level for level in levels))]
    exchanges = [f"_kombu.{kind}.{queue}" for queue in queues for kind in ("binding", "binding_permanent")]
    replies = ["*.reply.celery.pidbox", *(f"*.reply.celery.pidbox{level}" for level in levels)]
    boxes = ["*.celery.pidbox", *(f"*.celery.pidbox{level}" for level in levels)]
    shared = keys(*lists, *UNACKED, *BINDINGS)
    pidbox, events = f"/{broker_db}.celery.pidbox", f"/{broker_db}.celeryev"
    sent = f"{events}/task.sent"

    allowed: dict[str, tuple[list[str], list[str]]] = {
        "worker": (
            channels(pidbox, f"{events}/*", f"{events}/worker.*", RESULT, GROUP),
            [*shared, *keys(*boxes, "celeryev.*", RESULT, GROUP)],
        ),
        "producer": (channels(sent, RESULT, GROUP), keys(*lists, *exchanges, RESULT, GROUP)),
        "control": (channels(pidbox, sent, RESULT), [*shared, *keys(*replies), *keys(RESULT, mark=read)]),
        "verifier": (channels(pidbox, sent, RESULT, GROUP), [*shared, *keys(*replies, RESULT, GROUP)]),
        "flower": (
            channels(pidbox, f"{events}/*"),
            [*shared, *keys(*replies, "celeryev.*"), *keys(RESULT, mark=read)],
        ),
        "exporter": ([], keys(*lists, "unacked", mark=read)),
        "admin": ([], [f"{read}*"]),
        "sentinel": ([f"&{HELLO}"], []),
    }
    may_listen, may_touch = allowed.get(role, ([], []))
    return _rules(may_listen, may_touch, COMMANDS[role], version)


def _rules(channels: list[str], keys: list[str], commands: str, version: tuple[int, int]) -> str:
    return " ".join(["resetchannels", *channels, "resetkeys", *keys, "-@all", commands]) + _client_names(version)


def _hashes(*passwords: str | None) -> str:
    return " ".join(f"#{hashlib.sha256(password.encode()).hexdigest()}" for password in passwords if password)


def _version(host: HostSettings) -> tuple[int, int]:
    major, minor, *_ = (*host.redis.version.split("."), "0")
    return int(major), int(minor)


def _accounts(host: HostSettings) -> Iterator[tuple[str, str, str]]:
    """Yield name, role and the hashes of the valid passwords of every user."""
    previous = host.redis.previous_passwords
    for name in BUILT_IN:
        if name in host.redis.passwords:
            old = previous[name].get_secret_value() if name in previous else None
            yield name, name, _hashes(host.redis.passwords[name].get_secret_value(), old)
    for entry in host.redis.acl_users:
        old = entry.previous_password.get_secret_value() if entry.previous_password else None
        yield entry.name, entry.role, _hashes(entry.password.get_secret_value(), old)


# SETUSER adds sanitize-payload by itself and a file does not: written out, both read the same
def _all_users(host: HostSettings, rules: Callable[[str], str]) -> list[User]:
    """Return every user with the rules of its role, `default` switched off."""
    return [User("default", NOBODY)] + [
        User(name, f"on sanitize-payload {hashes} {rules(role)}")
        for name, role, hashes in _accounts(host)
        if rules(role)
    ]


def users(fleet: Fleet, host: HostSettings, instance: RedisInstance) -> list[User]:
    """Return all users of an instance, `default` switched off."""
    queues = fleet.queues_of(instance.name)
    owner = next((other for other in fleet.celery_hosts() if other.celery.broker_instance == instance.name), host)

    def rules(role: str) -> str:
        return permissions(
            role,
            queues=queues,
            steps=owner.celery.priority_steps,
            broker_db=owner.celery.broker_db,
            prefix=owner.celery.global_keyprefix,
            version=_version(host),
            transport=owner.celery.transport,
        )

    return _all_users(host, rules)


def sentinel_users(host: HostSettings) -> list[User]:
    """Return all users of a Sentinel: those of Redis, with the right to find the master, and no more."""

    def rules(role: str) -> str:
        commands = AT_SENTINEL.get(role, _FIND)
        channels = (
            f"resetchannels &{HELLO if role == 'sentinel' else '+switch-master'}"
            if commands != "+ping"
            else "resetchannels"
        )
        return f"{channels} resetkeys -@all {commands}{_client_names(_version(host))}" if commands else ""

    return _all_users(host, rules)
