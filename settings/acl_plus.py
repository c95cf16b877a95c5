"""The least rights under celery-redis-plus: sorted sets in place of lists, streams in place of fanout channels.

Keys and commands were found by MONITOR and an empty ACL LOG under celery-redis-plus 0.4.1 and Celery 5.7 on Redis
8.0, with retry, ETA, native delay, chord, group, chain, priority, events, inspect, revoke, purge, forget, a killed
child, kill -9 and SIGQUIT restore. Commands inside its Lua scripts count as the user's own.
"""

from __future__ import annotations

# What any client does: connect, load the scripts, look where a binding leads. TYPE and SMEMBERS carry over the bindings
# that the stock transport left behind, once.
_TALK = "+ping +select +multi +exec +evalsha +script|load +script|exists +time +type +smembers +srem"
_PUBLISH = "+hset +zadd +zrange +zrangebyscore +zremrangebyscore +zcard +pexpire +expire +exists +del +xadd"
_CONSUME = "+bzmpop +zpopmin +zrem +hget +hmget +hincrby"
_RESULTS = "+get +mget +subscribe +unsubscribe"
_CONTROL = f"{_TALK} {_PUBLISH} {_CONSUME} {_RESULTS}"
COMMANDS = {
    "worker": f"{_CONTROL} +xread +set +setex +publish +zcount +sadd +sismember",
    "producer": f"{_TALK} {_PUBLISH} {_RESULTS} +set +setex +publish",
    "control": _CONTROL,
    "verifier": f"{_CONTROL} +set +setex +publish +hlen +ttl +pttl",
    "flower": f"{_CONTROL} +xread",
    "exporter": "+ping +info +client|setname +client|list +config|get +slowlog|get +slowlog|len +latency|latest "
    "+select +type +zcard +hlen +strlen",
}
RESULT, GROUP = "celery-task-meta-*", "celery-taskset-meta-*"
MESSAGES, BINDINGS = "message:*", "_kombu.binding.*"
# The heartbeat of a worker that is handling an event touches the index of a queue that is called like the event.
EVENT_INDEX = "messages_index:worker.*"


def _stored(*queues: str) -> tuple[str, ...]:
    """Return the keys of queues: what waits, and when it is due again."""
    return tuple(f"{kind}:{queue}" for queue in queues for kind in ("queue", "messages_index"))


def rights(role: str, queues: list[str], broker_db: int) -> tuple[list[str], list[str], list[str]]:
    """Return the channels, the keys and the keys to read only of a role of `COMMANDS`, without prefix and marks."""
    pidbox, events = f"/{broker_db}.celery.pidbox", f"/{broker_db}.celeryev"
    shared = [*_stored(*queues), MESSAGES, BINDINGS]
    replies, boxes, receivers = _stored("*.reply.celery.pidbox"), _stored("*.celery.pidbox"), _stored("celeryev.*")
    allowed: dict[str, tuple[list[str], list[str], list[str]]] = {
        "worker": (
            [RESULT, GROUP],
            [*shared, *boxes, *receivers, EVENT_INDEX, pidbox, events, RESULT, GROUP],
            [],
        ),
        "producer": ([RESULT, GROUP], [*shared, events, RESULT, GROUP], []),
        "control": ([RESULT], [*shared, *replies, pidbox, events], [RESULT]),
        "verifier": ([RESULT, GROUP], [*shared, *replies, pidbox, events, RESULT, GROUP], []),
        "flower": ([RESULT], [*shared, *replies, *receivers, pidbox, events], [RESULT]),
        "exporter": ([], [], list(_stored(*queues))),
    }
    return allowed[role]
