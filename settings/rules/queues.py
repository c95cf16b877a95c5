"""Rules of queues: what is sent is consumed, what is consumed is sent, and routes match tasks."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from settings.fleet import Fleet, HostSettings
from settings.registry import application_tasks
from settings.rules.rule import ERROR, WARNING, Rule, Violation, repeated

ROUTING = "https://docs.celeryq.dev/en/stable/userguide/routing.html"
Hosts = list[HostSettings]


# Who sends or consumes; Flower does neither.
ACTIVE = ("celery", "beat")


def _declared(hosts: Hosts) -> set[str]:
    return {queue.name for host in hosts for queue in host.celery.queues}


def _consumed(hosts: Hosts) -> set[str]:
    return {queue for host in hosts for worker in host.workers for queue in worker.queues}


def _sent_to(hosts: Hosts) -> Iterator[tuple[HostSettings, str, tuple[str | int, ...], str]]:
    """Yield every place that sends tasks to a queue: default queue, routes, beat."""
    for host in hosts:
        yield host, "celery_task_default_queue", (), host.celery.task_default_queue
        for index, route in enumerate(host.celery.routes):
            yield host, "celery_routes", (index, "queue"), route.queue
        for index, entry in enumerate(host.celery.beat_schedule):
            if entry.queue:
                yield host, "celery_beat_schedule", (index, "queue"), entry.queue


def _consumers(hosts: Hosts) -> Iterator[tuple[HostSettings, tuple[str | int, ...], str, str]]:
    for host in hosts:
        for index, worker in enumerate(host.workers):
            for position, queue in enumerate(worker.queues):
                yield host, (index, "queues", position), queue, worker.name


def _near(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), n=1)
    return f"write {near[0]}" if near else ""


def route_matches(pattern: str, task: str) -> bool:
    """Whether a route applies to a task: Celery takes a name without an asterisk as it stands (app/routes.py)."""
    return fnmatchcase(task, pattern) if "*" in pattern else task == pattern


def _queue_names(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for index, name in repeated([queue.name for queue in host.celery.queues]):
            yield Violation(host, "celery_queues", f"queue {name} is declared twice", (index, "name"), name)


def _queue_declared(fleet: Fleet) -> Iterator[Violation]:
    for hosts in fleet.applications(*ACTIVE):
        declared = _declared(hosts)
        for host, variable, path, queue in _sent_to(hosts):
            if queue not in declared:
                message = f"there is no queue {queue!r} in celery_queues"
                yield Violation(host, variable, message, path, queue, _near(queue, declared))
        for host, place, queue, worker in _consumers(hosts):
            if queue not in declared:
                message = f"{worker} consumes {queue!r}, which is not in celery_queues"
                yield Violation(host, "celery_workers", message, place, queue, _near(queue, declared))


def _queue_consumed(fleet: Fleet) -> Iterator[Violation]:
    for hosts in fleet.applications(*ACTIVE):
        consumed, declared = _consumed(hosts), _declared(hosts)
        for host in hosts:
            for index, queue in enumerate(host.celery.queues):
                if queue.name not in consumed:
                    message = f"no worker of the fleet consumes {queue.name}"
                    yield Violation(host, "celery_queues", message, (index, "name"), queue.name)
        for host, variable, path, name in _sent_to(hosts):
            if name in declared - consumed and variable != "celery_task_default_queue":
                message = f"tasks go to {name}, and no worker of the fleet consumes it"
                yield Violation(host, variable, message, path, name, _near(name, consumed))


def _queue_used(fleet: Fleet) -> Iterator[Violation]:
    for hosts in fleet.applications(*ACTIVE):
        used = {queue for _, _, _, queue in _sent_to(hosts)}
        for host, path, queue, worker in _consumers(hosts):
            if queue not in used:
                message = f"{worker} consumes {queue}, and no route leads there"
                yield Violation(host, "celery_workers", message, path, queue)


def _routes_match(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        names = application_tasks(host.celery)
        if names is None:
            continue
        for index, route in enumerate(host.celery.routes):
            if not any(route_matches(route.match, name) for name in names):
                message = f"no task of {host.celery.source} is called {route.match!r}"
                yield Violation(
                    host, "celery_routes", message, (index, "match"), route.match, _near(route.match, names)
                )
        for index, entry in enumerate(host.celery.beat_schedule):
            if entry.task not in names:
                message, fix = f"no task of {host.celery.source} is called {entry.task!r}", _near(entry.task, names)
                yield Violation(host, "celery_beat_schedule", message, (index, "task"), entry.task, fix)


def _route_wildcard(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for index, route in enumerate(host.celery.routes):
            if "*" not in route.match and any(sign in route.match for sign in "?[]"):
                message = "Celery takes a pattern without an asterisk for a name"
                yield Violation(host, "celery_routes", message, (index, "match"), route.match)


def _route_shadowed(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        routes = host.celery.routes
        for index, route in enumerate(routes):
            before = next((one for one in routes[:index] if route_matches(one.match, route.match)), None)
            if before and (before.queue, before.priority) != (route.queue, route.priority):
                message = f"{before.match} stands before it and takes its tasks to {before.queue}"
                yield Violation(host, "celery_routes", message, (index, "match"), route.match)


def _source_exists(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for variable, path in (
            ("celery_source", host.celery.source),
            ("celery_requirements", host.celery.requirements),
        ):
            local = variable == "celery_requirements" or host.celery.source_kind != "git"
            if local and path and not Path(path).exists():
                yield Violation(host, variable, f"there is no {path} here", value=path)


RULES = (
    Rule(
        id="queue-names",
        severity=ERROR,
        says="A queue is declared once.",
        why="the second entry would be dead",
        source=ROUTING,
        fix="delete one",
        check=_queue_names,
        acceptable=False,
    ),
    Rule(
        id="queue-declared",
        severity=ERROR,
        says="Every queue that is named is declared.",
        why="a misspelt queue holds tasks that nobody sees",
        source=ROUTING,
        fix="add it to celery_queues",
        check=_queue_declared,
        acceptable=False,
    ),
    Rule(
        id="queue-consumed",
        severity=ERROR,
        says="Every queue is consumed by a worker of the fleet.",
        why="its tasks would wait for ever",
        source="a seed project lost a day to it; " + ROUTING,
        fix="add the queue to a worker group, or delete it",
        check=_queue_consumed,
    ),
    Rule(
        id="queue-used",
        severity=WARNING,
        says="Every consumed queue is one that tasks are sent to.",
        why="the worker idles, and the route meant for it is missing or misspelt",
        source=ROUTING,
        fix="add a route, or drop the queue",
        check=_queue_used,
    ),
    Rule(
        id="routes-match",
        severity=ERROR,
        says="Routes and periodic tasks name tasks that exist.",
        why="a pattern is matched with the task's name, not its module's path",
        source="a seed project lost a day to it; " + ROUTING,
        fix="use the name given in the task's decorator",
        check=_routes_match,
    ),
    Rule(
        id="route-wildcard",
        severity=ERROR,
        says="A pattern holds an asterisk.",
        why="Celery looks for ? and [ ] only where an asterisk stands, too: the route would match nothing",
        source="celery 5.7 app/routes.py, MapRoute",
        fix="write it with *",
        check=_route_wildcard,
        acceptable=False,
    ),
    Rule(
        id="route-shadowed",
        severity=WARNING,
        says="No route stands behind one that takes its tasks.",
        why="the first match wins: the later route never applies",
        source=ROUTING,
        fix="move it up",
        check=_route_shadowed,
    ),
    Rule(
        id="source-exists",
        severity=ERROR,
        says="The application and its requirements are there.",
        why="nothing could be deployed",
        source="this repository",
        fix="correct the path, relative to the repository",
        check=_source_exists,
        acceptable=False,
    ),
)
