"""Rules of Redis: memory, persistence, limits, instances."""

from __future__ import annotations

from collections.abc import Iterator

from settings.fleet import Fleet, HostSettings
from settings.model.redis import RedisInstance
from settings.rules.rule import ERROR, WARNING, Rule, Violation
from settings.types import human_bytes

# A fork shares memory until it is written to: a busy data set is copied by up to its own size. Half is what a
# broker's short-lived rewrite costs.
COPY_ON_WRITE = 1.5
# Descriptors that Redis keeps for itself: redis.conf, "maxclients"
RESERVED_FILES = 32
CONF = "https://redis.io/docs/latest/operate/oss_and_stack/management/config-file/"
EVICTION = "https://redis.io/docs/latest/develop/reference/eviction/"


def _instances(fleet: Fleet) -> Iterator[tuple[HostSettings, int, RedisInstance]]:
    for host in fleet:
        for index, instance in enumerate(host.instances):
            yield host, index, instance


def _broken(host: HostSettings, index: int, option: str, message: str, value: object, fix: str = "") -> Violation:
    """Point at the option of an instance: where the instance says it, else at `redis_<option>`."""
    said = host.raw.variables.get("redis_instances")
    own = said is not None and isinstance(said.value, list) and option in said.value[index]
    if own:
        return Violation(host, "redis_instances", message, (index, option), str(value), fix)
    return Violation(host, f"redis_{option}", message, (), str(value), fix)


def _broker_noeviction(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _instances(fleet):
        if instance.purpose == "broker" and instance.maxmemory_policy != "noeviction":
            yield _broken(host, index, "maxmemory_policy", f"{instance.name} is a broker and would evict", instance.maxmemory_policy)


def _results_evicted(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _instances(fleet):
        if instance.purpose == "results" and instance.maxmemory_policy != "noeviction":
            yield _broken(host, index, "maxmemory_policy", f"{instance.name} would drop results before they are read", instance.maxmemory_policy)


def _cache_evicts(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _instances(fleet):
        if instance.purpose == "cache" and instance.maxmemory_policy == "noeviction":
            yield _broken(host, index, "maxmemory_policy", f"{instance.name} is a cache and would refuse writes when full", instance.maxmemory_policy)


def _broker_ceiling(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _instances(fleet):
        if instance.maxmemory == 0:
            yield _broken(host, index, "maxmemory", f"{instance.name} may grow until the kernel kills it", 0)


def _memory_headroom(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if not host.host.memory or not host.instances:
            continue
        forks = {i.name: bool(i.appendonly or i.save) for i in host.instances}
        need = sum(int(i.maxmemory * (COPY_ON_WRITE if forks[i.name] else 1)) for i in host.instances)
        need += sum(worker.memory_max * worker.processes for worker in host.workers)
        if need > host.host.memory:
            yield Violation(
                host,
                "host_memory",
                f"{need // 1024**2} MiB are promised (each instance times {COPY_ON_WRITE} where it forks, plus workers)",
                value=human_bytes(host.host.memory),
            )


def _service_memory(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _instances(fleet):
        if instance.memory_max and instance.memory_max < instance.maxmemory * COPY_ON_WRITE:
            yield _broken(
                host,
                index,
                "memory_max",
                f"{instance.name} would be killed while it rewrites its AOF",
                human_bytes(instance.memory_max),
                f"write at least {human_bytes(int(instance.maxmemory * COPY_ON_WRITE))}",
            )


def _durable_broker(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _instances(fleet):
        if instance.purpose == "broker" and not instance.appendonly:
            rest = f"all since the last snapshot ({', '.join(instance.save)})" if instance.save else "everything"
            yield _broken(host, index, "appendonly", f"{instance.name} loses {rest} when it stops", "false")


def _fsync_off(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _instances(fleet):
        if instance.purpose == "broker" and instance.appendonly and instance.appendfsync == "no":
            yield _broken(host, index, "appendfsync", f"{instance.name} leaves the AOF to the kernel", '"no"')


def _snapshot_stops_writes(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _instances(fleet):
        if instance.purpose == "broker" and instance.appendonly and instance.save and instance.stop_writes_on_bgsave_error:
            yield _broken(host, index, "save", f"a failed snapshot of {instance.name} refuses every publish", ", ".join(instance.save))


def _open_files(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _instances(fleet):
        need = instance.maxclients + RESERVED_FILES
        if instance.limit_nofile < need:
            yield _broken(host, index, "limit_nofile", f"{instance.name} would lower maxclients to {instance.limit_nofile - RESERVED_FILES}", instance.limit_nofile, f"write at least {need}")


def _listen_queue(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _instances(fleet):
        if host.host.manage_sysctl and instance.tcp_backlog > host.host.somaxconn:
            yield _broken(host, index, "tcp_backlog", f"the kernel caps it at host_somaxconn = {host.host.somaxconn}", instance.tcp_backlog)


def _names_unique(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        names = [instance.name for instance in host.instances]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield Violation(host, "redis_instances", f"two instances are called {name}", (index, "name"), name)


def _ports_unique(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        seen: dict[int, str] = {}
        for index, instance in enumerate(host.instances):
            for option, port in (("port", instance.port), ("tls_port", instance.tls_port)):
                if port and port in seen:
                    yield _broken(host, index, option, f"{instance.name} and {seen[port]} want the same port", port)
                seen.setdefault(port, instance.name)


def _some_port(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _instances(fleet):
        if not instance.port and not instance.tls_port:
            yield _broken(host, index, "port", f"{instance.name} listens nowhere", 0)


def _dbs_exist(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for variable, name, db in (
            ("celery_broker_db", host.celery.broker_instance, host.celery.broker_db),
            ("celery_result_db", host.celery.result_instance, host.celery.result_db),
        ):
            found = fleet.find_instance(name)
            if found and db >= found[1].databases:
                yield Violation(host, variable, f"{name} has databases 0 to {found[1].databases - 1}", value=str(db))


def _supported(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.instances and tuple(map(int, host.redis.version.split(".")[:2])) < (6, 2):
            yield Violation(host, "redis_version", "channel permissions in ACLs came with Redis 6.2", value=host.redis.version)


RULES = (
    Rule("broker-noeviction", ERROR, "A broker never evicts.", "eviction deletes queues and bindings without a word", "kombu #1063; measured", "write noeviction, and give a cache an instance of its own", _broker_noeviction),
    Rule("results-evicted", WARNING, "A result instance keeps results until they expire.", "an evicted result looks like a task that never ran", "measured: volatile-* evicts results", "write noeviction and lower celery_result_expires", _results_evicted),
    Rule("cache-evicts", WARNING, "A cache may forget.", "a full cache under noeviction refuses writes instead of dropping old entries", EVICTION, "write allkeys-lru", _cache_evicts),
    Rule("memory-ceiling", WARNING, "Every instance has a ceiling.", "without maxmemory a backlog ends in the kernel's out-of-memory killer", EVICTION, "set maxmemory to what the host can spare", _broker_ceiling),
    Rule("memory-headroom", ERROR, "All ceilings, with room for copy-on-write, fit into the host's memory.", "a fork for an AOF rewrite copies what changes meanwhile", "https://redis.io/docs/latest/operate/oss_and_stack/management/admin/", "lower redis_maxmemory or worker memory_max, or correct host_memory", _memory_headroom),
    Rule("service-memory", ERROR, "MemoryMax of a Redis service leaves room for copy-on-write.", "systemd kills the service in the middle of a rewrite", "systemd.resource-control(5)", "raise memory_max", _service_memory),
    Rule("durable-broker", WARNING, "A broker keeps an append-only file.", "queued tasks die with the process", "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/", "set appendonly: true; it is switched on live", _durable_broker),
    Rule("fsync-off", WARNING, "A broker's AOF is synced.", "a power cut lost every acknowledged task with appendfsync no", "measured over 10 power cuts", 'write "everysec" or "always"', _fsync_off),
    Rule("snapshot-stops-writes", WARNING, "A broker with an AOF takes no snapshots that can stop its writes.", "MISCONF refuses publishes and ends workers", "measured", "set save: []", _snapshot_stops_writes),
    Rule("open-files", ERROR, "A service may open maxclients + 32 files.", "Redis lowers maxclients silently", CONF, "raise limit_nofile", _open_files),
    Rule("listen-queue", WARNING, "The kernel grants the listen queue.", "a burst of reconnecting workers is refused", CONF, "raise host_somaxconn or lower tcp_backlog", _listen_queue),
    Rule("instance-names", ERROR, "Instances of a host have names of their own.", "they would share files and data", "this repository", "rename one", _names_unique, acceptable=False),
    Rule("instance-ports", ERROR, "Instances of a host have ports of their own.", "the second could not start", "this repository", "give each its port", _ports_unique, acceptable=False),
    Rule("some-port", ERROR, "An instance listens on a port.", "nobody could reach it", CONF, "set port or tls_port", _some_port, acceptable=False),
    Rule("database-exists", ERROR, "Databases that Celery uses exist.", "SELECT would fail", CONF, "lower the number or raise redis_databases", _dbs_exist, acceptable=False),
    Rule("redis-supported", ERROR, "Redis is 6.2 or newer.", "without channel permissions every user may listen to every result", "https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/", 'write "6.2" or newer', _supported, acceptable=False),
)
