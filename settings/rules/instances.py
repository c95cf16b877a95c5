"""Rules of Redis instances: names, ports, files, replicas."""

from __future__ import annotations

from collections.abc import Iterator

from settings.addresses import is_loopback
from settings.fleet import Fleet, HostSettings
from settings.model.redis import RedisInstance
from settings.rules.rule import ERROR, WARNING, Rule, Violation, at_instance, each_instance, repeated

# Descriptors that Redis keeps for itself: redis.conf, "maxclients"
RESERVED_FILES = 32
CONF = "https://redis.io/docs/latest/operate/oss_and_stack/management/config-file/"
REPLICATION = "https://redis.io/docs/latest/operate/oss_and_stack/management/replication/"
OURS = "this repository"
OLDEST = (6, 2)


def _open_files(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        need = instance.maxclients + RESERVED_FILES
        if instance.limit_nofile < need:
            left = max(instance.limit_nofile - RESERVED_FILES, 0)
            message = f"{instance.name} would lower maxclients to {left}"
            yield at_instance(
                host, index, "limit_nofile", message, value=instance.limit_nofile, fix=f"write at least {need}"
            )


def _listen_queue(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        if host.host.manage_sysctl and instance.tcp_backlog > host.host.somaxconn:
            message = f"the kernel caps it at host_somaxconn = {host.host.somaxconn}"
            yield at_instance(host, index, "tcp_backlog", message, value=instance.tcp_backlog)


def _names_unique(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for index, name in repeated([instance.name for instance in host.instances]):
            yield Violation(host, "redis_instances", f"two instances are called {name}", (index, "name"), name)


def _ports_unique(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        seen: dict[int, str] = {}
        if "flower" in host.raw.groups:
            seen[host.celery.flower_port] = "Flower"
        if "sentinel" in host.raw.groups:
            seen[host.sentinel.port] = "Sentinel"
        for index, instance in enumerate(host.instances):
            for option, port in (("port", instance.port), ("tls_port", instance.tls_port)):
                if port and port in seen:
                    message = f"{instance.name} and {seen[port]} want the same port"
                    yield at_instance(host, index, option, message, value=port)
                seen.setdefault(port, instance.name)


def _some_port(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        if not instance.port and not instance.tls_port:
            yield at_instance(host, index, "port", f"{instance.name} listens nowhere", value=0)


def _databases_exist(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        if not host.redis.unmanaged:
            continue
        for variable, name, db in (
            ("celery_broker_db", host.celery.broker_instance, host.celery.broker_db),
            ("celery_result_db", host.celery.result_instance, host.celery.result_db),
        ):
            found = fleet.find_instance(name)
            if found and db >= found[1].databases:
                yield Violation(host, variable, f"{name} has databases 0 to {found[1].databases - 1}", value=str(db))


def _supported(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.instances and tuple(map(int, host.redis.version.split(".")[:2])) < OLDEST:
            message = "channel permissions in ACLs came with Redis 6.2"
            yield Violation(host, "redis_version", message, value=host.redis.version)


def _by_name(fleet: Fleet) -> dict[str, list[tuple[HostSettings, int, RedisInstance]]]:
    found: dict[str, list[tuple[HostSettings, int, RedisInstance]]] = {}
    for host, index, instance in each_instance(fleet):
        found.setdefault(instance.name, []).append((host, index, instance))
    return found


def _one_master(fleet: Fleet) -> Iterator[Violation]:
    hosts = [host for host in fleet.celery_hosts() if host.redis.unmanaged]
    used = {name for host in hosts for name in (host.celery.broker_instance, host.celery.result_instance)}
    for name, found in _by_name(fleet).items():
        masters = [place for place in found if not place[2].replicaof]
        if name not in used or len({host.name for host, _, _ in masters}) < len(masters):
            continue  # nobody looks for it, or instance-names says what is wrong
        for host, index, _ in masters[1:]:
            message = f"{masters[0][0].name} has a master called {name}, too: every client would use that one"
            fix = f'write "<address of {masters[0][0].name}> <port>"'
            yield at_instance(host, index, "replicaof", message, value='""', fix=fix)
        if not masters:
            message = f"every instance called {name} is a replica, and takes no tasks"
            yield at_instance(found[0][0], found[0][1], "replicaof", message, value=found[0][2].replicaof)


def _replica_master(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        if not instance.replicaof:
            continue
        address, port = instance.replicaof.rsplit(" ", 1)
        target = host if is_loopback(address) else next((one for one in fleet if address in _addresses(one)), None)
        if target is None or not target.instances:
            continue  # a master outside of this inventory
        masters = [one for one in target.instances if int(port) in (one.port, one.tls_port)]
        if not masters:
            message = f"no instance of {target.name} listens on port {port}"
        elif target is host and masters[0].name == instance.name:
            message = f"{instance.name} would be a replica of itself"
        else:
            continue
        yield at_instance(host, index, "replicaof", message, value=instance.replicaof)


def _addresses(host: HostSettings) -> tuple[str, ...]:
    return (host.name, host.address, host.redis.advertise_address)


def _replicas_enough(fleet: Fleet) -> Iterator[Violation]:
    for found in _by_name(fleet).values():
        replicas = sum(bool(instance.replicaof) for _, _, instance in found)
        for host, index, instance in found:
            if not instance.replicaof and instance.min_replicas_to_write > replicas:
                message = f"{instance.name} has {replicas} replicas in this inventory, and would refuse every write"
                yield at_instance(host, index, "min_replicas_to_write", message, value=instance.min_replicas_to_write)


def _managed_alone(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.members("redis"):
        if not host.redis.unmanaged:
            message = "the host is in the group redis, and the role runs no Redis there"
            yield Violation(host, "redis_managed_url", message)


RULES = (
    Rule(
        id="open-files",
        severity=ERROR,
        says=f"A service may open maxclients + {RESERVED_FILES} files.",
        why="Redis lowers maxclients silently",
        source=CONF,
        fix="raise limit_nofile",
        check=_open_files,
    ),
    Rule(
        id="listen-queue",
        severity=WARNING,
        says="The kernel grants the listen queue.",
        why="a burst of reconnecting workers is refused",
        source=CONF,
        fix="raise host_somaxconn or lower tcp_backlog",
        check=_listen_queue,
    ),
    Rule(
        id="instance-names",
        severity=ERROR,
        says="Instances of a host have names of their own.",
        why="they would share files and data",
        source=OURS,
        fix="rename one",
        check=_names_unique,
        acceptable=False,
    ),
    Rule(
        id="instance-ports",
        severity=ERROR,
        says="Instances, Flower and Sentinel have ports of their own.",
        why="the second could not start",
        source=OURS,
        fix="give each its port",
        check=_ports_unique,
        acceptable=False,
    ),
    Rule(
        id="some-port",
        severity=ERROR,
        says="An instance listens on a port.",
        why="nobody could reach it",
        source=CONF,
        fix="set port or tls_port",
        check=_some_port,
        acceptable=False,
    ),
    Rule(
        id="database-exists",
        severity=ERROR,
        says="Databases that Celery uses exist.",
        why="SELECT would fail",
        source=CONF,
        fix="lower the number or raise redis_databases",
        check=_databases_exist,
        acceptable=False,
    ),
    Rule(
        id="redis-supported",
        severity=ERROR,
        says="Redis is 6.2 or newer.",
        why="without channel permissions every user may listen to every result",
        source="https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/",
        fix='write "6.2" or newer',
        check=_supported,
        acceptable=False,
    ),
    Rule(
        id="one-master",
        severity=ERROR,
        says="An instance that Celery uses has one master in the fleet.",
        why="clients find the first master of a name: the others would hold queues that nobody reads",
        source=REPLICATION,
        fix="set redis_replicaof on all hosts but one, or give the instances names of their own",
        check=_one_master,
    ),
    Rule(
        id="replica-master",
        severity=ERROR,
        says="A replica names a master that is there.",
        why="it would copy nothing, and a failover to it would lose everything",
        source=REPLICATION,
        fix='write "host port" of the master',
        check=_replica_master,
        acceptable=False,
    ),
    Rule(
        id="replicas-enough",
        severity=ERROR,
        says="A master has the replicas without which it refuses writes.",
        why="NOREPLICAS refuses every publish",
        source=REPLICATION,
        fix="lower min_replicas_to_write, or add hosts with redis_replicaof",
        check=_replicas_enough,
    ),
    Rule(
        id="managed-alone",
        severity=WARNING,
        says="A managed Redis stands in place of hosts in the group redis.",
        why="their settings would be written nowhere",
        source=OURS,
        fix="take the host out of the group redis, or drop redis_managed_url",
        check=_managed_alone,
    ),
)
