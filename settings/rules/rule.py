"""What a rule is: data, with one function that finds where it is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from settings.fleet import Fleet, HostSettings
from settings.model.celery import Worker
from settings.model.redis import RedisInstance
from settings.problem import Severity

ERROR, WARNING = Severity.ERROR, Severity.WARNING


@dataclass(frozen=True)
class Violation:
    """One place where a rule is broken."""

    host: HostSettings
    variable: str
    message: str
    path: tuple[str | int, ...] = ()
    value: str = ""
    fix: str = ""  # more exact than the rule's own
    where: str = ""  # a place that is no variable's


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A contradiction between settings."""

    id: str
    severity: Severity
    says: str  # what must hold, one sentence
    why: str
    source: str
    fix: str
    check: Callable[[Fleet], Iterator[Violation]]
    acceptable: bool = True  # may be waived by `accepted_risks`; not where the deployment could not work at all


def each_instance(fleet: Fleet) -> Iterator[tuple[HostSettings, int, RedisInstance]]:
    """Yield every Redis instance with its host and its position in `redis_instances`."""
    for host in fleet:
        for index, instance in enumerate(host.instances):
            yield host, index, instance


def each_worker(fleet: Fleet) -> Iterator[tuple[HostSettings, int, Worker]]:
    """Yield every worker group with its host and its position in `celery_workers`."""
    for host in fleet:
        for index, worker in enumerate(host.workers):
            yield host, index, worker


def at_instance(
    host: HostSettings, index: int, option: str, message: str, *, value: object, fix: str = ""
) -> Violation:
    """Point at the option of an instance: where the instance says it, else at `redis_<option>`."""
    said = host.raw.variables.get("redis_instances")
    if said is not None and isinstance(said.value, list) and option in said.value[index]:
        return Violation(host, "redis_instances", message, (index, option), str(value), fix)
    return Violation(host, f"redis_{option}", message, (), str(value), fix)


def repeated(names: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the positions of names that stand further up, too."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield index, name
        seen.add(name)
