"""Does each Redis keep its data safe, evict nothing that it must not, and have room?"""

from __future__ import annotations

from settings.rules.memory import COPY_ON_WRITE
from verify.model import Hint, Outcome, Promise, broken, kept, unchecked
from verify.server import Server
from verify.words import plural, size

DURABLE = Promise(
    "redis.persistence",
    "keeps its data as the settings say",
    ("redis_appendonly", "redis_save"),
    "state of AOF and snapshots",
)
POLICY = Promise(
    "redis.eviction", "evicts as the settings say, a broker never", ("redis_maxmemory_policy",), "policy and evictions"
)
MEMORY = Promise("redis.memory", "has room in its memory", ("redis_maxmemory", "host_memory"), "used of the ceiling")
CLIENTS = Promise("redis.clients", "turned no client away", ("redis_maxclients",), "clients and refusals")
REPLICATION = Promise(
    "redis.replication",
    "follows its master, or is followed",
    ("redis_replicaof", "redis_min_replicas_max_lag"),
    "role, and what a replica lags behind",
)

FULL = 0.8  # of maxmemory: from here on a burst may meet refused writes


def durable(server: Server) -> Outcome:
    """Compare AOF and snapshots, and ask whether the last writes went well."""
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


def policy(server: Server) -> Outcome:
    """Compare the policy, and ask whether anything was evicted."""
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


def memory(server: Server) -> Outcome:
    """Ask how full it is, of its own ceiling and of the host's memory."""
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


def clients(server: Server) -> Outcome:
    """Ask whether a client met a server without room for it."""
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


def replication(server: Server) -> Outcome:
    """Ask a replica whether its link is up and fresh, and a master whether its replicas follow."""
    info, limit = server.info, server.instance.min_replicas_max_lag
    look = server.words.service(server.host, f"redis-{server.instance.name}")
    fix = server.words.make("deploy") + ", which attaches it; then " + server.words.make("verify")
    if info.get("role") == "slave":
        master, lag = (
            f"{info.get('master_host')}:{info.get('master_port')}",
            int(info.get("master_last_io_seconds_ago", -1)),
        )
        figure = f"replica of {master}, heard {lag} s ago"
        if info.get("master_link_status") == "up" and 0 <= lag <= limit:
            return kept(figure)
        what = f"its link to {master} is {info.get('master_link_status')}, last heard {lag} s ago; {limit} s may pass"
        return broken("cut off", Hint(what, look, fix))
    due = len(server.fleet.members_of(server.instance.name)) - 1
    replicas = [entry for key, entry in info.items() if key.startswith("slave") and isinstance(entry, dict)]
    fresh = [
        entry for entry in replicas if entry.get("state") == "online" and int(entry.get("lag", limit + 1)) <= limit
    ]
    figure = f"master of {plural(len(fresh), 'replica')}"
    if len(fresh) >= due:
        return kept(figure + (f", {max(int(entry['lag']) for entry in fresh)} s behind at most" if fresh else ""))
    what = f"{plural(len(fresh), 'replica')} within {limit} s, and the settings have {due}"
    return broken(figure, Hint(what, look, fix))
