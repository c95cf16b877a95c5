"""A deployment under load, and the ways to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

from drill.targets.target import Target as Hurtable
from engine.errors import NotPossible
from loadtests.generator.target import NoTarget, Target
from settings.fleet import Fleet, HostSettings
from settings.model.load import LoadProfile
from verify.redirect import Address

Sizes = Callable[[], dict[str, int]]


@dataclass(frozen=True)
class Place:
    """What is put under load.

    Attributes:
        env: name of its inventory.
        fleet: all hosts.
        sizes: returns worker → bytes of its memory, its children's among them.
        hurtable: what faults may be done to; None where none may.
        ways: address → port of this machine that leads there.
        inventory: says how to log in to the hosts of the group `locust`, which then send; None where this machine does.
    """

    env: str
    fleet: Fleet
    sizes: Sizes
    hurtable: Hurtable | None = None
    ways: Mapping[Address, int] = field(default_factory=dict)
    inventory: Path | None = None

    @property
    def host(self) -> HostSettings:
        """The host of Celery whose settings hold."""
        return self.fleet.celery_hosts()[0]

    @property
    def target(self) -> Target:
        """What generators on this machine send to.

        Raises:
            NotPossible: if its messages are not known.
        """
        try:
            target = Target.of(self.fleet, self.host)
        except NoTarget as error:
            raise NotPossible(str(error)) from None
        return replace(target, ways=[(*address, here) for address, here in self.ways.items()])


def names(fleet: Fleet) -> list[str]:
    """Return the worker processes of a fleet by the names that Celery knows them by."""
    return [
        f"{worker.name}-{number}@{host.name}"
        for host in fleet.members("celery")
        for worker in host.workers
        for number in range(1, worker.processes + 1)
    ]


def unconsumed(fleet: Fleet, profile: LoadProfile, target: Target) -> list[str]:
    """Return the queues that a workload sends to and no worker consumes: all that goes there is lost."""
    consumed = {queue for host in fleet.members("celery") for worker in host.workers for queue in worker.queues}
    default = target.conf["task_default_queue"]
    sent = {
        kind.queue or _routed(task, target, default)
        for kind in profile.tasks
        for task in (kind.task, *(step.task for step in kind.chain))
    }
    return sorted(sent - consumed)


def _routed(task: str, target: Target, default: str) -> str:
    routes: Iterable[str] = (options["queue"] for match, options in target.routes if fnmatch(task, match))
    return next(iter(routes), default)
