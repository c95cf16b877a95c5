"""What the settings promise to run: applications, their queues, and a worker process per entry."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from settings.endpoints import broker_url, result_url
from settings.fleet import Fleet, HostSettings
from settings.model import Celery
from settings.model.celery import BeatEntry

PROBES = "tasks.probe"


@dataclass(frozen=True)
class ExpectedWorker:
    """One worker process as the settings describe it."""

    host: HostSettings
    node: str
    group: str
    unit: str
    queues: tuple[str, ...]
    pool: str
    concurrency: int
    autoscale: tuple[int, int] | None  # (max, min)
    prefetch_multiplier: int
    told_prefetch: int  # the multiplier on its command line
    time_limit: float | None  # seconds
    soft_time_limit: float | None  # seconds
    max_tasks_per_child: int | None
    release: str
    config: dict[str, Any]

    @property
    def slots(self) -> int:
        """Tasks that it may run at once."""
        if self.pool == "solo":
            return 1
        return self.autoscale[0] if self.autoscale else self.concurrency


@dataclass(frozen=True)
class Application:
    """Hosts whose workers share a broker, results and a key prefix."""

    fleet: Fleet
    hosts: tuple[HostSettings, ...]
    workers: tuple[ExpectedWorker, ...]

    @property
    def host(self) -> HostSettings:
        """One of its hosts, for what they all share."""
        return self.hosts[0]

    @property
    def settings(self) -> Celery:
        """The settings of Celery that its hosts share."""
        return self.host.celery

    @property
    def name(self) -> str:
        """How rows call it: the module of the application."""
        return self.settings.app.split(".", maxsplit=1)[0].split(":", maxsplit=1)[0]

    @cached_property
    def queues(self) -> dict[str, tuple[ExpectedWorker, ...]]:
        """Queue → the workers that shall consume it."""
        names = dict.fromkeys(queue.name for host in self.hosts for queue in host.celery.queues)
        return {name: tuple(worker for worker in self.workers if name in worker.queues) for name in names}

    @property
    def groups(self) -> dict[str, tuple[ExpectedWorker, ...]]:
        """Worker group → its processes on all hosts."""
        names = dict.fromkeys(worker.group for worker in self.workers)
        return {name: tuple(worker for worker in self.workers if worker.group == name) for name in names}

    @property
    def probes(self) -> bool:
        """Whether the deployed application knows the probe tasks."""
        return all(any(f"{module}.".startswith(f"{PROBES}.") for module in host.celery.imports) for host in self.hosts)

    def entries(self, task: str) -> list[BeatEntry]:
        """Return the entries of beat's schedule that run a task, where the application has a beat."""
        beats = [host for host in self.hosts if "beat" in host.raw.groups]
        return [entry for host in beats for entry in host.celery.beat_schedule if entry.task == task]

    def queue_of(self, task: str) -> str:
        """Return the queue that the routes send a task to."""
        routes = (route.queue for route in self.settings.routes if fnmatch.fnmatchcase(task, route.match))
        return next(routes, self.settings.task_default_queue)


def _workers(resolved: dict[str, Any], host: HostSettings) -> list[ExpectedWorker]:
    celery = resolved["celery"]
    config = {**celery["config"], **celery["extra_config"]}
    return [
        ExpectedWorker(
            host=host,
            node=worker["node"],
            group=worker["name"],
            unit=worker["unit"],
            queues=tuple(worker["queues"]),
            pool=worker["pool"],
            concurrency=worker["concurrency"],
            autoscale=tuple(worker["autoscale"]) if worker["autoscale"] else None,
            prefetch_multiplier=worker["prefetch_multiplier"],
            told_prefetch=worker["told_prefetch"],
            time_limit=worker["time_limit"],
            soft_time_limit=worker["soft_time_limit"],
            max_tasks_per_child=worker["max_tasks_per_child"],
            release=celery.get("release", ""),
            config=config,
        )
        for worker in (celery["workers"] if celery["runs_workers"] else [])
    ]


def applications(fleet: Fleet, resolved: dict[str, dict[str, Any]]) -> list[Application]:
    """Group the hosts of Celery by what they share."""
    found: dict[tuple[str, ...], list[HostSettings]] = {}
    for host in fleet.celery_hosts():
        key = (
            broker_url(fleet, host, "verifier"),
            result_url(fleet, host, "verifier"),
            host.celery.global_keyprefix,
            host.celery.transport,
        )
        found.setdefault(key, []).append(host)
    return [
        Application(
            fleet=fleet,
            hosts=tuple(hosts),
            workers=tuple(worker for host in hosts for worker in _workers(resolved[host.name], host)),
        )
        for hosts in found.values()
    ]
