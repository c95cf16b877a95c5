"""Rules of memory: what Redis may fill, what a fork costs, and what happens at the ceiling."""

from __future__ import annotations

from collections.abc import Iterator

from settings.fleet import Fleet
from settings.model.redis import RedisInstance
from settings.rules.rule import ERROR, WARNING, Rule, Violation, at_instance, each_instance
from settings.types import human_bytes

# A fork shares memory until it is written to: a busy data set is copied by up to its own size. Half is what a
# broker's short-lived rewrite costs.
COPY_ON_WRITE = 1.5
ADMIN = "https://redis.io/docs/latest/operate/oss_and_stack/management/admin/"
EVICTION = "https://redis.io/docs/latest/develop/reference/eviction/"


def _forks(instance: RedisInstance) -> bool:
    return bool(instance.appendonly or instance.save)


def with_fork(instance: RedisInstance, size: int) -> int:
    """Return what an instance with so many bytes of data may take, while it forks, where it does."""
    return int(size * COPY_ON_WRITE) if _forks(instance) else size


def _broker_noeviction(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        if instance.purpose == "broker" and instance.maxmemory_policy != "noeviction":
            message = f"{instance.name} is a broker and would evict"
            yield at_instance(host, index, "maxmemory_policy", message, value=instance.maxmemory_policy)


def _results_evicted(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        if instance.purpose == "results" and instance.maxmemory_policy != "noeviction":
            message = f"{instance.name} would drop results before they are read"
            yield at_instance(host, index, "maxmemory_policy", message, value=instance.maxmemory_policy)


def _cache_evicts(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        if instance.purpose == "cache" and instance.maxmemory_policy == "noeviction":
            message = f"{instance.name} is a cache and would refuse writes when full"
            yield at_instance(host, index, "maxmemory_policy", message, value=instance.maxmemory_policy)


def _ceiling(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        if instance.maxmemory == 0:
            yield at_instance(host, index, "maxmemory", f"{instance.name} may grow until the kernel kills it", value=0)


def _headroom(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if not host.host.memory or not host.instances:
            continue
        need = sum(with_fork(one, one.maxmemory) for one in host.instances)
        need += sum(worker.memory_max * worker.processes for worker in host.workers)
        if need > host.host.memory:
            many = f"{need // 1024**2} MiB are promised"
            message = f"{many} (each instance times {COPY_ON_WRITE} where it forks, plus memory_max of the workers)"
            yield Violation(host, "host_memory", message, value=human_bytes(host.host.memory))


def _service_memory(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        need = with_fork(instance, instance.maxmemory)
        if instance.memory_max and instance.memory_max < need:
            message = f"{instance.name} would be killed while it rewrites its AOF"
            fix = f"write at least {human_bytes(need)}"
            yield at_instance(host, index, "memory_max", message, value=human_bytes(instance.memory_max), fix=fix)


def _overcommit(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        mode = host.host.overcommit_memory
        if host.host.manage_sysctl and mode != 1 and any(_forks(instance) for instance in host.instances):
            yield Violation(host, "host_overcommit_memory", "a fork of a large Redis is refused", value=str(mode))


def _huge_pages(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        forks = any(_forks(instance) for instance in host.instances)
        if forks and host.host.manage_sysctl and not host.host.disable_transparent_hugepage:
            message = "after a fork every write copies 2 MiB in place of 4 KiB"
            yield Violation(host, "host_disable_transparent_hugepage", message, value="false")


RULES = (
    Rule(
        id="broker-noeviction",
        severity=ERROR,
        says="A broker never evicts.",
        why="eviction deletes queues and bindings without a word",
        source="kombu #1063; measured: allkeys-* evicts queue lists",
        fix="write noeviction, and give a cache an instance of its own",
        check=_broker_noeviction,
    ),
    Rule(
        id="results-evicted",
        severity=WARNING,
        says="A result instance keeps results until they expire.",
        why="an evicted result looks like a task that never ran",
        source="measured: volatile-* evicts results",
        fix="write noeviction and lower celery_result_expires",
        check=_results_evicted,
    ),
    Rule(
        id="cache-evicts",
        severity=WARNING,
        says="A cache may forget.",
        why="a full cache under noeviction refuses writes instead of dropping old entries",
        source=EVICTION,
        fix="write allkeys-lru",
        check=_cache_evicts,
    ),
    Rule(
        id="memory-ceiling",
        severity=WARNING,
        says="Every instance has a ceiling.",
        why="without maxmemory a backlog ends in the kernel's out-of-memory killer",
        source=EVICTION,
        fix="set maxmemory to what the host can spare",
        check=_ceiling,
    ),
    Rule(
        id="memory-headroom",
        severity=ERROR,
        says="All ceilings, with room for copy-on-write, fit into the host's memory.",
        why="a fork for an AOF rewrite copies what changes meanwhile",
        source=ADMIN,
        fix="lower redis_maxmemory or memory_max of the workers, or correct host_memory",
        check=_headroom,
    ),
    Rule(
        id="service-memory",
        severity=ERROR,
        says="MemoryMax of a Redis service leaves room for copy-on-write.",
        why="systemd kills the service in the middle of a rewrite",
        source="systemd.resource-control(5)",
        fix="raise memory_max",
        check=_service_memory,
    ),
    Rule(
        id="overcommit",
        severity=WARNING,
        says="The kernel lets Redis fork.",
        why="without overcommit a fork needs as much free memory as the data set has, and a failed one leaves "
        "the AOF to grow",
        source=ADMIN,
        fix="set host_overcommit_memory: 1",
        check=_overcommit,
    ),
    Rule(
        id="huge-pages",
        severity=WARNING,
        says="Transparent huge pages are off where Redis forks.",
        why="they multiply the memory and the latency of copy-on-write",
        source=ADMIN,
        fix="set host_disable_transparent_hugepage: true",
        check=_huge_pages,
    ),
)
