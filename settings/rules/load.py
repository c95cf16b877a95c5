"""Rules of workloads on their deployment: what is sent is known, run, and answered there."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from settings.fleet import Fleet, HostSettings
from settings.load_figures import runs
from settings.model.celery import Worker
from settings.model.load import LoadProfile
from settings.names import nearest
from settings.registry import application_tasks
from settings.rules.broker import LAST_PRIORITY
from settings.rules.delivery import HARD_POOLS, SOFT_POOLS, hard_limit, soft_limit
from settings.rules.queues import route_matches
from settings.rules.workloads import HERE, Check, Found, Steps, rule_of


def unfit(fleet: Fleet, profile: LoadProfile) -> list[str]:
    """Return why a workload cannot be sent to a deployment, a sentence each; empty if it can."""
    found = [
        f"{profile.name}: {message}: {fix or rule.fix}."
        for rule, check in DEPLOYMENT
        for host in fleet.celery_hosts()
        for _, message, _, fix in check(fleet, host, profile)
    ]
    return list(dict.fromkeys(found))


def _deployed(check: Check) -> Check:
    """Ask only hosts on which Celery runs: others need not know how it is set."""
    return lambda fleet, host, profile: check(fleet, host, profile) if host.uses_celery else iter(())


def _registered(_: Fleet, host: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    names = application_tasks(host.celery)
    for path, task in _tasks(profile) if names is not None else ():
        if task not in (names or ()):
            near = nearest(task, names or ())
            yield path, f"no task of {host.celery.source} is called {task!r}", task, f"write {near}" if near else ""


def _tasks(profile: LoadProfile) -> Iterator[tuple[Steps, str]]:
    for index, kind in enumerate(profile.tasks):
        yield ("tasks", index, "task"), kind.task
        for position, step in enumerate(kind.chain):
            yield ("tasks", index, "chain", position, "task"), step.task


def _queues(fleet: Fleet, _: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    declared = {queue.name for host in fleet.celery_hosts() for queue in host.celery.queues}
    for index, task in enumerate(profile.tasks):
        if task.queue and task.queue not in declared:
            near = nearest(task.queue, declared)
            message = f"{task.name} goes to {task.queue!r}, which is not in celery_queues"
            yield ("tasks", index, "queue"), message, task.queue, f"write {near}" if near else ""


def _priorities(_: Fleet, host: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    if host.celery.transport != "redis":
        return
    for index, task in enumerate(profile.tasks):
        if task.priority is None:
            continue
        path, value = ("tasks", index, "priority"), str(task.priority)
        if task.priority > LAST_PRIORITY:
            message = f"{task.name}: on this transport 0 is the first priority and {LAST_PRIORITY} the last"
            yield path, message, value, ""
        elif len(host.celery.priority_steps) == 1:
            message = f"{task.name} has a priority, and celery_priority_steps has one level for all"
            yield path, message, value, "write celery_priority_steps: [0, 3, 6, 9], or delete the priority"


def _countdown(_: Fleet, host: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    timeout = host.celery.visibility_timeout
    for index, task in enumerate(profile.tasks):
        if host.celery.transport == "redis" and task.countdown >= timeout:
            message = f"{task.name} would wait in a worker for {task.countdown:g} s, and run twice after {timeout:g} s"
            yield ("tasks", index, "countdown"), message, f"{task.countdown:g}", f"write less than {timeout:g}"


def _results(_: Fleet, host: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    expires = host.celery.result_expires
    for index, task in enumerate(profile.tasks):
        if host.celery.task_ignore_result:
            message = f"{task.name} would have no result, and count as lost"
            yield ("tasks", index, "task"), message, task.task, "write celery_task_ignore_result: false"
        elif expires and task.limit > expires:
            message = f"{task.name} is awaited for {task.limit:g} s, and results are gone after {expires:g} s"
            yield ("tasks", index, "limit"), message, f"{task.limit:g}", f"write at most {expires:g}"


def _takers(fleet: Fleet, host: HostSettings, task: str, queue: str | None) -> Iterator[tuple[HostSettings, Worker]]:
    """Yield the worker groups that a task goes to."""
    routed = next((route.queue for route in host.celery.routes if route_matches(route.match, task)), None)
    queue = queue or routed or host.celery.task_default_queue
    for other in fleet.celery_hosts():
        yield from ((other, worker) for worker in other.workers if queue in worker.queues)


def _enforced(fleet: Fleet, host: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    for index, task in enumerate(profile.tasks):
        for _, worker in _takers(fleet, host, task.task, task.queue):
            for key, pools in (("soft_time_limit", SOFT_POOLS), ("time_limit", HARD_POOLS)):
                limit = getattr(task, key)
                if limit and worker.pool not in pools:
                    message = f"{task.name} goes to {worker.name}, whose pool {worker.pool} does not enforce {key}"
                    yield ("tasks", index, key), message, f"{limit:g}", ""


def _within_limits(fleet: Fleet, host: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    for index, task in enumerate(profile.tasks):
        names = [task.task, *(step.task for step in task.chain)]
        for name, takes in zip(names, runs(task), strict=True):
            for other, worker in _takers(fleet, host, name, task.queue) if takes and not task.fails else ():
                limits = [soft_limit(other, worker), hard_limit(other, worker)]
                least_limit = task.time_limit or min((limit for limit in limits if limit), default=inf)
                if takes >= least_limit:
                    message = (
                        f"{name} of {task.name} runs {takes:g} s, and {worker.name} stops it after {least_limit:g} s"
                    )
                    yield ("tasks", index, "task"), message, name, f"write less than {least_limit:g} s"


# What depends on the deployment: a workload that ships is held against it, too, when it is asked for.
_FITS: tuple[tuple[str, Check, str, str, str, str], ...] = (
    (
        "load-registered",
        _deployed(_registered),
        "A workload sends tasks that the application registers.",
        "a worker drops what it does not know, and the task counts as lost",
        "celery 5.7 worker/consumer/consumer.py, on_unknown_task",
        "use the name given in the task's decorator, or add the module to celery_imports",
    ),
    (
        "load-queue",
        _deployed(_queues),
        "A workload sends to queues that are declared.",
        "nobody consumes them, and a producer has no right to write there",
        HERE,
        "delete the queue, so that the routes decide",
    ),
    (
        "load-priority",
        _deployed(_priorities),
        "A workload uses priorities that the transport has.",
        "all of them would fall into one level",
        "celery #4028, #8673",
        f"use a priority from 0 to {LAST_PRIORITY}",
    ),
    (
        "load-countdown",
        _deployed(_countdown),
        "A workload's ETAs lie within the visibility timeout.",
        "the task would be delivered again and again while it waits",
        "kombu #337",
        "lower the countdown, or raise celery_visibility_timeout",
    ),
    (
        "load-results",
        _deployed(_results),
        "Results of a workload live until they are awaited no longer.",
        "a result that is gone looks like a task that was lost",
        HERE,
        "lower the limit, or raise celery_result_expires",
    ),
    (
        "load-enforced",
        _deployed(_enforced),
        "A workload sets time limits only where the pool enforces them.",
        "the task runs on, and what was to be shown is not",
        "https://docs.celeryq.dev/en/stable/userguide/workers.html",
        "delete the limit, or route the task to a prefork pool",
    ),
    (
        "load-runs",
        _deployed(_within_limits),
        "Tasks of a workload run shorter than their workers allow.",
        "they would be stopped, and count as failed",
        HERE,
        "shorten the task, or say fails: true where that is meant",
    ),
)
DEPLOYMENT = tuple((rule_of(*one), one[1]) for one in _FITS)
RULES = tuple(rule for rule, _ in DEPLOYMENT)
