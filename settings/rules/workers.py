"""Rules of worker groups: names, pools, limits, what the process manager can do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from settings.fleet import Fleet
from settings.rules.rule import ERROR, WARNING, Rule, Violation, at_instance, each_instance, each_worker, repeated
from settings.types import human_bytes

WORKERS = "https://docs.celeryq.dev/en/stable/userguide/workers.html"
PLUS_PYTHON, PLUS_REDIS = (3, 13), (7, 0)


def _names(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for index, name in repeated([worker.name for worker in host.workers]):
            yield Violation(host, "celery_workers", f"two groups are called {name}", (index, "name"), name)


def _autoscale(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in each_worker(fleet):
        if worker.autoscale and worker.autoscale[0] < worker.autoscale[1]:
            least, most = worker.autoscale
            message, path = f"{worker.name} scales from more to fewer", (index, "autoscale")
            yield Violation(host, "celery_workers", message, path, f"[{least}, {most}]", f"write [{most}, {least}]")


def _autoscale_pool(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in each_worker(fleet):
        if worker.autoscale and worker.pool in ("solo", "threads"):
            message = f"a {worker.pool} pool of {worker.name} cannot grow"
            yield Violation(host, "celery_workers", message, (index, "autoscale"), str(worker.autoscale))


def _solo_concurrency(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in each_worker(fleet):
        if worker.pool == "solo" and worker.concurrency != 1:
            message, fix = f"{worker.name} runs one task at a time", "write concurrency: 1, and raise processes"
            yield Violation(host, "celery_workers", message, (index, "concurrency"), str(worker.concurrency), fix)


def _child_limits(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in each_worker(fleet):
        for key in ("max_tasks_per_child", "max_memory_per_child"):
            if worker.pool != "prefork" and getattr(worker, key):
                message = f"a {worker.pool} pool of {worker.name} has no children to replace"
                yield Violation(host, "celery_workers", message, (index, key), str(getattr(worker, key)))


def _child_memory(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in each_worker(fleet):
        size = max(worker.autoscale or [worker.concurrency])
        need = (worker.max_memory_per_child or 0) * size
        if worker.memory_max and need > worker.memory_max:
            message = f"{size} children of {worker.name} may hold {human_bytes(need)}"
            yield Violation(host, "celery_workers", message, (index, "memory_max"), human_bytes(worker.memory_max))


def _supervisor_limits(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in each_worker(fleet):
        for key in ("memory_max", "cpu_quota"):
            if host.stack.process_manager == "supervisor" and getattr(worker, key):
                message = f"supervisor cannot hold {worker.name} to it"
                yield Violation(host, "celery_workers", message, (index, key), str(getattr(worker, key)))
    for host, index, instance in each_instance(fleet):
        if host.stack.process_manager == "supervisor" and instance.memory_max:
            message = f"supervisor cannot hold {instance.name} to it"
            yield at_instance(host, index, "memory_max", message, value=human_bytes(instance.memory_max))


def _remote_control(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.workers and not host.celery.worker_enable_remote_control:
            message = "workers cannot be inspected or drained"
            yield Violation(host, "celery_worker_enable_remote_control", message, value="false")


def _heartbeat(fleet: Fleet) -> Iterator[Violation]:
    watched = any(True for _ in fleet.members("flower"))
    for host in fleet:
        if watched and host.workers and not host.celery.heartbeat:
            yield Violation(host, "celery_heartbeat", "Flower shows these workers as offline", value="false")


def _plus_supported(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        if host.celery.transport != "redis-plus":
            continue
        named = re.search(r"python(\d+)\.(\d+)$", host.celery.python)
        if named and (int(named[1]), int(named[2])) < PLUS_PYTHON:
            message = "celery-redis-plus needs Python 3.13"
            yield Violation(host, "celery_python", message, value=host.celery.python)
        if tuple(map(int, host.redis.version.split(".")[:2])) < PLUS_REDIS:
            yield Violation(host, "redis_version", "celery-redis-plus needs Redis 7.0", value=host.redis.version)
        if host.sentinel.enabled:
            yield Violation(host, "sentinel_enabled", "celery-redis-plus asks no Sentinel", value="true")


# What only one of the transports knows.
ONLY = {
    "redis": (
        "priority_steps",
        "queue_order_strategy",
        "unacked_restore_interval",
        "unacked_restore_throttle",
        "unacked_mutex_expire",
        "reuse_clients",
    ),
    "redis-plus": ("delivery_limit",),
}


def _transport_options(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for transport, options in ONLY.items():
            for option in options:
                if host.celery.transport != transport and host.said(f"celery_{option}"):
                    message = f"celery_transport is {host.celery.transport}, which does not know it"
                    yield Violation(host, f"celery_{option}", message, value=str(getattr(host.celery, option)))


RULES = (
    Rule(
        id="worker-names",
        severity=ERROR,
        says="Worker groups of a host have names of their own.",
        why="node names must be unique: inspect would reach one of two",
        source=WORKERS,
        fix="rename one",
        check=_names,
        acceptable=False,
    ),
    Rule(
        id="autoscale-order",
        severity=ERROR,
        says="Autoscale is [max, min].",
        why="Celery takes the first as the maximum",
        source=WORKERS,
        fix="swap the numbers",
        check=_autoscale,
        acceptable=False,
    ),
    Rule(
        id="autoscale-pool",
        severity=ERROR,
        says="Only pools that can grow are scaled.",
        why="Celery ends with an error",
        source=WORKERS,
        fix="use prefork, or drop autoscale",
        check=_autoscale_pool,
        acceptable=False,
    ),
    Rule(
        id="solo-concurrency",
        severity=ERROR,
        says="A solo pool has one slot.",
        why="the number would mean nothing",
        source=WORKERS,
        fix="write concurrency: 1",
        check=_solo_concurrency,
    ),
    Rule(
        id="child-limits",
        severity=WARNING,
        says="Child limits stand where there are children.",
        why="only prefork replaces children",
        source=WORKERS,
        fix="use prefork, or drop the limit",
        check=_child_limits,
    ),
    Rule(
        id="child-memory",
        severity=ERROR,
        says="All children of a worker fit into its MemoryMax.",
        why="the kernel kills a child before Celery replaces it",
        source="systemd.resource-control(5)",
        fix="raise memory_max or lower max_memory_per_child",
        check=_child_memory,
    ),
    Rule(
        id="supervisor-limits",
        severity=WARNING,
        says="Resource limits stand where the manager enforces them.",
        why="supervisor has no such limits",
        source="http://supervisord.org/configuration.html",
        fix="use systemd, or drop the limit",
        check=_supervisor_limits,
    ),
    Rule(
        id="remote-control",
        severity=WARNING,
        says="Workers answer remote control.",
        why="verify, drain and rolling restarts ask them",
        source=WORKERS,
        fix="set celery_worker_enable_remote_control: true",
        check=_remote_control,
    ),
    Rule(
        id="heartbeat",
        severity=WARNING,
        says="Workers that Flower watches tell it that they are there.",
        why="it knows from these events alone who is online",
        source="https://flower.readthedocs.io/en/latest/features.html",
        fix="set celery_heartbeat: true",
        check=_heartbeat,
    ),
    Rule(
        id="plus-supported",
        severity=ERROR,
        says="The redis-plus transport finds Python 3.13, Redis 7.0 and its master without Sentinel.",
        why="it cannot be installed on older ones, and knows URLs of one server only",
        source="https://pypi.org/project/celery-redis-plus/",
        fix="raise the version, or use transport redis",
        check=_plus_supported,
        acceptable=False,
    ),
    Rule(
        id="transport-options",
        severity=WARNING,
        says="Options of the transport are set only where the transport knows them.",
        why="it would be believed to work",
        source="docs/decisions/011-redis-plus.md",
        fix="delete the line",
        check=_transport_options,
    ),
)
