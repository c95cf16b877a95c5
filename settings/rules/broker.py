"""Rules between Celery and its broker: instances, connections, priorities, agreement among hosts."""

from __future__ import annotations

from collections.abc import Iterator

from settings.fleet import Fleet, HostSettings
from settings.rules.rule import ERROR, Rule, Violation, at_instance, each_instance

CLIENTS = "https://redis.io/docs/latest/develop/reference/clients/"
KOMBU = "kombu 5.7 transport/redis.py"
# Connections of one worker process beside its children's: consumer, control, events, results, two in reserve.
PER_PROCESS, PER_CHILD, RESERVE = 6, 2, 32
# kombu cuts every priority off here (transport/virtual/base.py, max_priority).
LAST_PRIORITY = 9


def _instance_found(fleet: Fleet) -> Iterator[Violation]:
    known = sorted({instance.name for _, _, instance in each_instance(fleet)})
    fix = f"use one of: {', '.join(known)}" if known else "put a host into the group redis, or set redis_managed_url"
    for host in fleet.celery_hosts():
        if not host.redis.unmanaged:
            continue
        for variable, name in (
            ("celery_broker_instance", host.celery.broker_instance),
            ("celery_result_instance", host.celery.result_instance),
        ):
            if name not in known:
                message = f"no host of the group redis runs an instance {name!r}"
                yield Violation(host, variable, message, value=name, fix=fix)


def _broker_purpose(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        found = fleet.find_instance(host.celery.broker_instance) if host.redis.unmanaged else None
        if found and found[1].purpose != "broker":
            message = f"{found[1].name} is for {found[1].purpose}"
            yield Violation(host, "celery_broker_instance", message, value=found[1].name)


def _connections(fleet: Fleet) -> Iterator[Violation]:
    need: dict[str, int] = {}
    for host in fleet.celery_hosts():
        if not host.redis.unmanaged:
            continue
        own = host.celery.broker_pool_limit
        for worker in host.workers:
            size = max(worker.autoscale or [worker.concurrency])
            own += worker.processes * (PER_PROCESS + PER_CHILD * size)
        for name in {host.celery.broker_instance, host.celery.result_instance}:
            need[name] = need.get(name, RESERVE) + own
    for host, index, instance in each_instance(fleet):
        wanted = need.get(instance.name, 0)
        if wanted > instance.maxclients:
            message = f"workers, producers and tools may open {wanted} connections to {instance.name}"
            fix = f"write at least {wanted}"
            yield at_instance(host, index, "maxclients", message, value=instance.maxclients, fix=fix)


def _priorities_used(host: HostSettings) -> Iterator[tuple[str, tuple[str | int, ...], int]]:
    for index, route in enumerate(host.celery.routes):
        if route.priority is not None:
            yield "celery_routes", (index, "priority"), route.priority
    if host.celery.task_default_priority is not None:
        yield "celery_task_default_priority", (), host.celery.task_default_priority


def _priorities(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        used = list(_priorities_used(host))
        if host.celery.transport != "redis" or not used:
            continue
        if len(host.celery.priority_steps) == 1:
            message, variable = "priorities are used, and all fall into this one level", "celery_priority_steps"
            yield Violation(host, variable, message, value=str(host.celery.priority_steps), fix="write [0, 3, 6, 9]")
        for variable, path, priority in used:
            if priority > LAST_PRIORITY:
                message = f"on this transport 0 is the first and {LAST_PRIORITY} the last"
                yield Violation(host, variable, message, path, str(priority))


def _priority_steps(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        steps = host.celery.priority_steps
        right = sorted({0, *(step for step in steps if step <= LAST_PRIORITY)})
        if host.celery.transport == "redis" and steps != right:
            message = f"levels begin with 0, rise and end with {LAST_PRIORITY} at most"
            yield Violation(host, "celery_priority_steps", message, value=str(steps), fix=f"write {right}")


# What clients and workers of the same queues must have in common.
AGREE = ("transport", "priority_steps", "result_instance", "result_db")


def _agree(fleet: Fleet) -> Iterator[Violation]:
    for hosts in fleet.applications("celery", "beat"):
        first = hosts[0]
        for host in hosts[1:]:
            for key in AGREE:
                ours, theirs = getattr(host.celery, key), getattr(first.celery, key)
                if ours != theirs:
                    message = f"{first.name} says {theirs} for the same queues"
                    yield Violation(host, f"celery_{key}", message, value=str(ours))


RULES = (
    Rule(
        id="instance-found",
        severity=ERROR,
        says="Workers name a Redis instance that some host runs.",
        why="they could not connect",
        source="this repository",
        fix="correct the name",
        check=_instance_found,
        acceptable=False,
    ),
    Rule(
        id="broker-purpose",
        severity=ERROR,
        says="Queues live in an instance for brokers.",
        why="a cache evicts them",
        source="kombu #1063",
        fix="name an instance with purpose broker",
        check=_broker_purpose,
    ),
    Rule(
        id="enough-connections",
        severity=ERROR,
        says="Redis serves as many connections as the fleet may open.",
        why="a refused worker ends with an error",
        source=CLIENTS,
        fix="raise redis_maxclients and redis_limit_nofile",
        check=_connections,
    ),
    Rule(
        id="priority-order",
        severity=ERROR,
        says="Priorities are used only where the transport honours them.",
        why="0 is first on the redis transport, and last on redis-plus: two seed projects had it the wrong way round",
        source="celery #4028, #8673",
        fix=f"use a priority from 0 to {LAST_PRIORITY}",
        check=_priorities,
    ),
    Rule(
        id="priority-steps",
        severity=ERROR,
        says="Priority levels begin with 0 and rise.",
        why="kombu files a priority under the level below it",
        source=KOMBU,
        fix="sort them",
        check=_priority_steps,
        acceptable=False,
    ),
    Rule(
        id="hosts-agree",
        severity=ERROR,
        says="Hosts that share queues agree on where and how tasks and results are kept.",
        why="one would write to lists that the other never reads, and chords would wait for results for ever",
        source=KOMBU,
        fix="set it once, in group_vars/all",
        check=_agree,
    ),
)
