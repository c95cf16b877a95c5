"""A validated inventory: every host's settings, and what follows from all of them together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from settings.bundles import Given
from settings.model import Backup, Celery, Firewall, Host, Load, Redis, Sentinel, Stack, Tls
from settings.model.celery import Worker
from settings.model.redis import RedisInstance
from settings.places import Place
from settings.raw import RawHost

GROUPS = {
    "redis": "runs Redis",
    "celery": "runs Celery workers",
    "beat": "runs beat: exactly one host",
    "flower": "runs Flower",
    "sentinel": "runs Sentinel",
    "locust": "generates load",
}


@dataclass(frozen=True)
class HostSettings:
    """What one host shall be."""

    raw: RawHost = field(repr=False)
    address: str
    stack: Stack
    host: Host
    firewall: Firewall
    redis: Redis
    tls: Tls
    sentinel: Sentinel
    celery: Celery
    backup: Backup
    load: Load
    given: Given = field(default_factory=Given)  # by celery_profile

    @property
    def name(self) -> str:
        """The inventory's name of the host."""
        return self.raw.name

    @property
    def instances(self) -> list[RedisInstance]:
        """Redis instances that run here."""
        return self.redis.instances if "redis" in self.raw.groups and self.redis.unmanaged else []

    @property
    def backed_up(self) -> list[RedisInstance]:
        """Redis instances that are backed up here."""
        if not self.backup.enabled:
            return []
        if self.backup.instances:
            return [instance for instance in self.instances if instance.name in self.backup.instances]
        return [one for one in self.instances if one.purpose != "cache" and (one.appendonly or one.save)]

    @property
    def workers(self) -> list[Worker]:
        """Worker groups that run here."""
        return self.celery.workers if "celery" in self.raw.groups else []

    @property
    def uses_celery(self) -> bool:
        """Whether anything of Celery runs here."""
        return bool({"celery", "beat", "flower"} & set(self.raw.groups))

    @property
    def generates(self) -> bool:
        """Whether load is generated here."""
        return "locust" in self.raw.groups

    def place(self, variable: str, *path: str | int) -> Place:
        """Return file:line of a setting or of a part of it; empty where the default holds."""
        return self.raw.place(variable, *path)

    def said(self, variable: str) -> bool:
        """Whether the inventory sets this variable."""
        return variable in self.raw.variables


@dataclass(frozen=True)
class Fleet:
    """All hosts of an inventory."""

    hosts: dict[str, HostSettings]

    def __iter__(self) -> Iterator[HostSettings]:
        """Yield the hosts in the order of their names."""
        yield from self.hosts.values()

    def members(self, group: str) -> list[HostSettings]:
        """Return the hosts of an inventory group."""
        return [host for host in self if group in host.raw.groups]

    def celery_hosts(self) -> list[HostSettings]:
        """Return the hosts on which anything of Celery runs."""
        return [host for host in self if host.uses_celery]

    def uses(self, host: HostSettings, instance: str) -> bool:
        """Whether processes of a host connect to an instance: those of Celery, or generators, which go where Celery's do."""
        ours = [host] if host.uses_celery else []
        ours += self.celery_hosts() if host.generates else []
        return any(instance in (one.celery.broker_instance, one.celery.result_instance) for one in ours)

    def applications(self, *groups: str) -> list[list[HostSettings]]:
        """Return the hosts of Celery, those that share queues together.

        Args:
            groups: only hosts of these inventory groups; all of Celery's if none is named.
        """
        found: dict[tuple[str, int, str], list[HostSettings]] = {}
        for host in self.celery_hosts():
            if not groups or set(groups) & set(host.raw.groups):
                broker = host.redis.managed_address or host.celery.broker_instance
                found.setdefault((broker, host.celery.broker_db, host.celery.global_keyprefix), []).append(host)
        return list(found.values())

    def find_instance(self, name: str) -> tuple[HostSettings, RedisInstance] | None:
        """Return the master of the instances called `name`, with its host."""
        found = [(host, instance) for host in self for instance in host.instances if instance.name == name]
        masters = [pair for pair in found if not pair[1].replicaof]
        return next(iter(masters or found), None)

    def members_of(self, instance: str) -> list[tuple[HostSettings, RedisInstance]]:
        """Return every instance called `instance`, with its host: a master and its replicas."""
        return [(host, one) for host in self for one in host.instances if one.name == instance]

    def watched(self, instance: str) -> bool:
        """Whether Sentinels watch the instances of this name."""
        return any(host.sentinel.master_name == instance for host in self.members("sentinel"))

    def queues_of(self, instance: str) -> list[str]:
        """Return the queues that applications keep in an instance, sorted."""
        return sorted(
            {
                queue.name
                for host in self.celery_hosts()
                if host.celery.broker_instance == instance
                for queue in host.celery.queues
            }
        )
