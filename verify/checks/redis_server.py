"""Does each Redis answer, run as configured, keep its data safe and have room?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from settings.rules.redis import COPY_ON_WRITE
from verify.compare import differences
from verify.model import Hint, Outcome, Promise, Row, broken, kept, unchecked
from verify.server import Server, ping, silence
from verify.words import plural, seconds, size

ANSWERS = Promise("redis.answers", "answers a PING", ("redis_port", "redis_bind"), "time of a PING")
CONFIG = Promise(
    "redis.config", "runs with the settings: CONFIG GET tells what they say", ("redis_*",), "settings compared"
)
DURABLE = Promise(
    "redis.persistence",
    "keeps its data as the settings say, without an error",
    ("redis_appendonly", "redis_save"),
    "state of AOF and snapshots",
)
POLICY = Promise(
    "redis.eviction", "evicts as the settings say, a broker never", ("redis_maxmemory_policy",), "policy and evictions"
)
MEMORY = Promise("redis.memory", "has room in its memory", ("redis_maxmemory", "host_memory"), "used of the ceiling")
CLIENTS = Promise("redis.clients", "turned no client away", ("redis_maxclients",), "clients and refusals")
PROMISES = (ANSWERS, CONFIG, DURABLE, POLICY, MEMORY, CLIENTS)

FULL = 0.8  # of maxmemory: from here on a burst may meet refused writes


def answers(server: Server) -> Row:
    """Judge whether a Redis is there; everything else about it needs this row."""
    return server.board.judge(ANSWERS, server.name, partial(_answers, server))


def check(server: Server, needs: Sequence[Row]) -> None:
    """Judge configuration and state of an instance."""
    judge = partial(server.board.judge, needs=needs)
    server.board.judge_each(CONFIG, server.name, partial(_config, server), needs=needs)
    judge(DURABLE, server.name, partial(_durable, server))
    judge(POLICY, server.name, partial(_policy, server))
    judge(MEMORY, server.name, partial(_memory, server))
    judge(CLIENTS, server.name, partial(_clients, server))


def _answers(server: Server) -> Outcome:
    reply = ping(server.client({}))
    if reply.answered:
        return kept(seconds(reply.seconds))
    look = server.words.service(server.host, f"redis-{server.instance.name}")
    return broken(
        "silent",
        Hint(
            f"{server.address}: {silence(reply)}", look, server.words.make("deploy") + ", which starts what shall run"
        ),
    )


def _config(server: Server) -> Iterator[tuple[str, Outcome]]:
    """One row where all is as written, one per setting that is not."""
    overruled = frozenset({"replicaof"}) if server.host.sentinel.enabled else frozenset()
    found, compared = differences(server.instance, server.config, skip=overruled)
    if not found:
        yield server.name, kept(f"{plural(compared, 'setting')} as written")
    for difference in found:
        hint = Hint(
            f"{difference.option} is {difference.found!r}, and redis_{difference.field} says {difference.due!r}",
            "who changed it with CONFIG SET, or whether the deploy is older than the settings",
            server.words.make("plan") + ", then " + server.words.make("deploy"),
        )
        yield f"{difference.option} of {server.name}", broken(difference.found, hint)


def _durable(server: Server) -> Outcome:
    info, instance = server.info, server.instance
    faults = []
    if bool(info.get("aof_enabled")) != instance.appendonly:
        faults.append(
            f"AOF is {'on' if info.get('aof_enabled') else 'off'}, and redis_appendonly says {str(instance.appendonly).lower()}"
        )
    if info.get("loading"):
        faults.append("it is loading")
    if instance.appendonly:
        faults += [
            f"{key} is {info[key]}"
            for key in ("aof_last_write_status", "aof_last_bgrewrite_status")
            if info.get(key, "ok") != "ok"
        ]
    if instance.save and info.get("rdb_last_bgsave_status", "ok") != "ok":
        faults.append(f"rdb_last_bgsave_status is {info['rdb_last_bgsave_status']}")
    if faults:
        look = f"space and rights of its directory, and its log: {server.words.service(server.host, f'redis-{instance.name}')}"
        return broken(
            "not safe",
            Hint("; ".join(faults), look, server.words.make("deploy") + ", or " + server.cli("BGREWRITEAOF")),
        )
    if not instance.appendonly and not instance.save:
        return unchecked("redis_appendonly is false and redis_save is empty: it promises to keep nothing")
    parts = [f"AOF {instance.appendfsync}"] if instance.appendonly else []
    parts += [f"snapshots {', '.join(instance.save)}"] if instance.save else []
    return kept("; ".join(parts))


def _policy(server: Server) -> Outcome:
    due, running = server.instance.maxmemory_policy, str(server.info.get("maxmemory_policy"))
    evicted = int(server.info.get("evicted_keys", 0))
    if running != due:
        return broken(
            running,
            Hint(
                f"maxmemory-policy is {running}, and redis_maxmemory_policy says {due}",
                "who changed it with CONFIG SET",
                server.words.make("deploy"),
            ),
        )
    if evicted and due == "noeviction":
        look = "which queues, bindings or results are missing, and since when the policy is noeviction"
        return broken(
            plural(evicted, "key"),
            Hint(
                f"{plural(evicted, 'key')} evicted since the start",
                look,
                f"once that is settled: {server.cli('CONFIG RESETSTAT')}",
            ),
        )
    return kept(f"{running}, {evicted} evicted")


def _memory(server: Server) -> Outcome:
    info, host = server.info, server.host
    used, ceiling = int(info["used_memory"]), int(info.get("maxmemory", 0))
    figure = f"{size(used)} of {size(ceiling)}" if ceiling else f"{size(used)}, no ceiling"
    fix = "raise redis_maxmemory and host_memory, then " + server.words.make("deploy")
    if ceiling and server.instance.maxmemory_policy == "noeviction" and used > FULL * ceiling:
        return broken(
            figure,
            Hint(
                f"{used / ceiling:.0%} of maxmemory is used, and above {FULL:.0%} a burst meets refused writes",
                "which queue grows: the rows of the queues tell their backlog",
                fix,
            ),
        )
    if host.host.memory and used * COPY_ON_WRITE > host.host.memory:
        return broken(
            figure,
            Hint(
                f"an AOF rewrite may need {size(used * COPY_ON_WRITE)}, and host_memory is {size(host.host.memory)}",
                "what else runs on the host",
                fix,
            ),
        )
    return kept(figure)


def _clients(server: Server) -> Outcome:
    refused, connected = int(server.info.get("rejected_connections", 0)), int(server.info.get("connected_clients", 0))
    figure = f"{connected} of {server.info.get('maxclients', server.instance.maxclients)}, {refused} refused"
    if not refused:
        return kept(figure)
    look = f"who opens so many: {server.cli('CLIENT LIST')}"
    return broken(
        figure,
        Hint(
            f"{plural(refused, 'connection')} refused since the start",
            look,
            f"raise redis_maxclients, {server.words.make('deploy')}, then {server.cli('CONFIG RESETSTAT')}",
        ),
    )
