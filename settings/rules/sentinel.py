"""Rules of Sentinel: majorities, masters, replicas."""

from __future__ import annotations

from collections.abc import Iterator

from settings.fleet import Fleet
from settings.rules.rule import ERROR, WARNING, Rule, Violation, at_instance, each_instance

SENTINEL = "https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/"
LEAST = 3
PAIR = 2  # a master and a replica


def _quorum(fleet: Fleet) -> Iterator[Violation]:
    sentinels = fleet.members("sentinel")
    majority = len(sentinels) // 2 + 1
    for host in fleet.celery_hosts():
        if host.sentinel.enabled and not sentinels:
            message, fix = (
                "no host of the inventory is in the group sentinel",
                "put three hosts into the group sentinel",
            )
            yield Violation(host, "sentinel_enabled", message, value="true", fix=fix)
    for host in sentinels:
        if not majority <= host.sentinel.quorum <= len(sentinels):
            message, value = f"of {len(sentinels)} sentinels, a majority is {majority}", str(host.sentinel.quorum)
            yield Violation(host, "sentinel_quorum", message, value=value, fix=f"write {majority}")


def _count(fleet: Fleet) -> Iterator[Violation]:
    sentinels = fleet.members("sentinel")
    if sentinels and (len(sentinels) < LEAST or len(sentinels) % 2 == 0):
        message = f"{len(sentinels)} sentinels cannot agree when one is cut off"
        where = sentinels[0].raw.places.of_group("sentinel")
        yield Violation(sentinels[0], "sentinel_quorum", message, where=where)


def _master(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.members("sentinel"):
        if fleet.find_instance(host.sentinel.master_name) is None:
            message = "no host runs an instance of this name"
            yield Violation(host, "sentinel_master_name", message, value=host.sentinel.master_name)


def _replica(fleet: Fleet) -> Iterator[Violation]:
    for name in sorted({host.sentinel.master_name for host in fleet.members("sentinel")}):
        found = [place for place in each_instance(fleet) if place[2].name == name]
        if found and not any(instance.replicaof for _, _, instance in found):
            host, index, _ = found[0]
            yield at_instance(host, index, "replicaof", f"{name} has no replica that could take over", value='""')


def _used(fleet: Fleet) -> Iterator[Violation]:
    if not fleet.members("sentinel"):
        return
    for host in fleet.celery_hosts():
        if not host.sentinel.enabled:
            message = "workers would go on asking the old master after a failover"
            yield Violation(host, "sentinel_enabled", message, value="false")


def _old_master(fleet: Fleet) -> Iterator[Violation]:
    if not fleet.members("sentinel"):
        return
    for host, index, instance in each_instance(fleet):
        if instance.purpose == "broker" and fleet.watched(instance.name) and not instance.min_replicas_to_write:
            message = f"a master of {instance.name} that is cut off goes on taking tasks, which are lost at its return"
            enough = len(fleet.members_of(instance.name)) > PAIR
            fix = "write 1" if enough else "add a third host and write 1, or live with it: accept the risk old-master"
            yield at_instance(host, index, "min_replicas_to_write", message, value=0, fix=fix)


def _failover_writes(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        count = len(fleet.members_of(instance.name))
        left = count - PAIR  # without the old master, and without the new one itself
        if fleet.watched(instance.name) and count >= PAIR and instance.min_replicas_to_write > left:
            message = f"{instance.name} has {count} hosts: after a failover the new master has {left} replicas, and refuses every write"
            value = instance.min_replicas_to_write
            yield at_instance(
                host, index, "min_replicas_to_write", message, value=value, fix=f"write {left}, or add a host"
            )


RULES = (
    Rule(
        id="sentinel-quorum",
        severity=ERROR,
        says="A quorum is a majority of the sentinels.",
        why="a minority could promote a second master",
        source=SENTINEL,
        fix="use more than half",
        check=_quorum,
    ),
    Rule(
        id="sentinel-count",
        severity=WARNING,
        says="There are three sentinels or more, an odd number.",
        why="with fewer no majority survives the loss of one",
        source=SENTINEL,
        fix="add a host to the group sentinel",
        check=_count,
    ),
    Rule(
        id="sentinel-master",
        severity=ERROR,
        says="Sentinel watches an instance that exists.",
        why="workers would find no master",
        source=SENTINEL,
        fix="use the name of an instance",
        check=_master,
        acceptable=False,
    ),
    Rule(
        id="sentinel-replica",
        severity=WARNING,
        says="What Sentinel watches has a replica.",
        why="it could declare the master down, and promote nobody",
        source=SENTINEL,
        fix="set redis_replicaof on a second host",
        check=_replica,
    ),
    Rule(
        id="sentinel-used",
        severity=WARNING,
        says="Where Sentinel runs, workers ask it.",
        why="a failover would leave them with the old master",
        source=SENTINEL,
        fix="set sentinel_enabled: true",
        check=_used,
    ),
    Rule(
        id="old-master",
        severity=WARNING,
        says="A master that lost its replicas stops taking tasks.",
        why="what it took is thrown away when it returns as a replica",
        source=SENTINEL,
        fix="with three hosts or more, set redis_min_replicas_to_write: 1",
        check=_old_master,
    ),
    Rule(
        id="failover-writes",
        severity=WARNING,
        says="The master that a failover makes has the replicas without which it refuses writes.",
        why="NOREPLICAS would refuse every task until the old master is back: no failover at all",
        source=SENTINEL,
        fix="with two hosts write 0",
        check=_failover_writes,
    ),
)
