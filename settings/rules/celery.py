"""Rules of one host's Celery: workers, pools, beat, Flower, names of keys."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterator

from settings.fleet import Fleet, HostSettings
from settings.model import Celery
from settings.rules.rule import ERROR, WARNING, Rule, Violation
from settings.types import human_bytes

CONFIG = "https://docs.celeryq.dev/en/stable/userguide/configuration.html"
WORKERS = "https://docs.celeryq.dev/en/stable/userguide/workers.html"
PERIODIC = "https://docs.celeryq.dev/en/stable/userguide/periodic-tasks.html"
# minute, hour, day of month, month, day of week: (count, least)
CRON_FIELDS = ((60, 0), (24, 0), (31, 1), (12, 1), (7, 0))


def _worker_names(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        names = [worker.name for worker in host.workers]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield Violation(host, "celery_workers", f"two groups are called {name}", (index, "name"), name)


def _queue_names(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        names = [queue.name for queue in host.celery.queues]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield Violation(host, "celery_queues", f"queue {name} is declared twice", (index, "name"), name)


def _autoscale(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for index, worker in enumerate(host.workers):
            if worker.autoscale and worker.autoscale[0] < worker.autoscale[1]:
                yield Violation(host, "celery_workers", f"{worker.name} scales from more to fewer", (index, "autoscale"), str(worker.autoscale), f"write [{worker.autoscale[1]}, {worker.autoscale[0]}]")


def _autoscale_pool(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for index, worker in enumerate(host.workers):
            if worker.autoscale and worker.pool in ("solo", "threads"):
                yield Violation(host, "celery_workers", f"a {worker.pool} pool of {worker.name} cannot grow", (index, "autoscale"), str(worker.autoscale))


def _solo_concurrency(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for index, worker in enumerate(host.workers):
            if worker.pool == "solo" and worker.concurrency != 1:
                yield Violation(host, "celery_workers", f"{worker.name} runs one task at a time", (index, "concurrency"), str(worker.concurrency), "write concurrency: 1, and raise processes")


def _child_limits(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for index, worker in enumerate(host.workers):
            if worker.pool != "prefork" and (worker.max_tasks_per_child or worker.max_memory_per_child):
                key = "max_tasks_per_child" if worker.max_tasks_per_child else "max_memory_per_child"
                yield Violation(host, "celery_workers", f"a {worker.pool} pool of {worker.name} has no children to replace", (index, key), str(getattr(worker, key)))


def _child_memory(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for index, worker in enumerate(host.workers):
            size = max(worker.autoscale or [worker.concurrency])
            need = (worker.max_memory_per_child or 0) * size
            if worker.memory_max and need > worker.memory_max:
                yield Violation(host, "celery_workers", f"{size} children of {worker.name} may hold {human_bytes(need)}", (index, "memory_max"), human_bytes(worker.memory_max))


def _supervisor_limits(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.stack.process_manager != "supervisor":
            continue
        for index, worker in enumerate(host.workers):
            for key in ("memory_max", "cpu_quota"):
                if getattr(worker, key):
                    yield Violation(host, "celery_workers", f"supervisor cannot hold {worker.name} to it", (index, key), str(getattr(worker, key)))


def _beat_when(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for index, entry in enumerate(host.celery.beat_schedule):
            if (entry.every is None) == (entry.cron is None):
                said = "both `every` and `cron`" if entry.every else "neither `every` nor `cron`"
                yield Violation(host, "celery_beat_schedule", f"{entry.name} has {said}", (index, "name"), entry.name)


def _beat_cron(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for index, entry in enumerate(host.celery.beat_schedule):
            if entry.cron is not None and (error := cron_error(entry.cron)):
                yield Violation(host, "celery_beat_schedule", f"{entry.name}: {error}", (index, "cron"), entry.cron)


def cron_error(text: str) -> str:
    """Return what is wrong with a crontab, or nothing; judged by Celery's own parser."""
    from celery.schedules import ParseException, crontab_parser  # 0.25 s: paid only where there is a crontab

    fields = text.split()
    if len(fields) != len(CRON_FIELDS):
        return f"a crontab has 5 fields, and this has {len(fields)}"
    for field, (count, least) in zip(fields, CRON_FIELDS, strict=True):
        try:
            parsed = crontab_parser(count, least).parse(field)
        except (ParseException, ValueError) as error:
            return f"{field!r}: {error}"
        if not parsed:
            return f"{field!r} never comes"
    return ""


def _beat_names(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        names = [entry.name for entry in host.celery.beat_schedule]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield Violation(host, "celery_beat_schedule", f"two entries are called {name}", (index, "name"), name)


def _beat_expires(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for index, entry in enumerate(host.celery.beat_schedule):
            if entry.expires is None:
                yield Violation(host, "celery_beat_schedule", f"runs of {entry.name} pile up while no worker is there", (index, "name"), entry.name, "set expires to about its interval")


def _flower_events(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.members("flower"):
        if not host.celery.worker_send_task_events:
            yield Violation(host, "celery_worker_send_task_events", "Flower would show no task", value="false")


def _extra_known(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        if host.celery.extra_config:
            yield from _extra_keys(host)


def _extra_keys(host: HostSettings) -> Iterator[Violation]:
    from celery.app.defaults import DEFAULTS

    for key in host.celery.extra_config:
        if key in Celery.model_fields or key in REPLACED:
            yield Violation(host, "celery_extra_config", f"{key} has a setting of its own", (key,), "", f"write {REPLACED.get(key, 'celery_' + key)}")
        elif key not in DEFAULTS:
            near = difflib.get_close_matches(key, list(DEFAULTS), n=1)
            yield Violation(host, "celery_extra_config", f"Celery knows no {key}", (key,), "", f"write {near[0]}" if near else "see " + CONFIG)


# Keys that the role derives, and what to set instead.
REPLACED = {
    "broker_url": "celery_broker_instance or redis_managed_url",
    "result_backend": "celery_result_instance or redis_managed_url",
    "broker_transport_options": "celery_visibility_timeout, celery_priority_steps and the like",
    "result_backend_transport_options": "celery_visibility_timeout and celery_global_keyprefix",
    "task_queues": "celery_queues",
    "task_routes": "celery_routes",
    "beat_schedule": "celery_beat_schedule",
    "worker_concurrency": "celery_workers[].concurrency",
    "worker_pool": "celery_workers[].pool",
    "imports": "celery_imports",
    "include": "celery_imports",
    "task_acks_on_failure_or_timeout": "celery_task_acks_on_timeout and celery_task_acks_on_failure",
}


def _remote_control(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.workers and not host.celery.worker_enable_remote_control:
            yield Violation(host, "celery_worker_enable_remote_control", "workers cannot be inspected or drained", value="false")


def _timezone(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        if host.celery.timezone not in zoneinfo.available_timezones():
            near = difflib.get_close_matches(host.celery.timezone, zoneinfo.available_timezones(), n=1)
            yield Violation(host, "celery_timezone", "there is no such time zone", value=host.celery.timezone, fix=f"write {near[0]}" if near else "write UTC or Continent/City")


def _plus_python(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        if host.celery.transport != "redis-plus":
            continue
        named = re.search(r"python(\d+)\.(\d+)$", host.celery.python)
        if named and (int(named[1]), int(named[2])) < (3, 13):
            yield Violation(host, "celery_python", "celery-redis-plus needs Python 3.13", value=host.celery.python)
        if tuple(map(int, host.redis.version.split(".")[:2])) < (7, 0):
            yield Violation(host, "redis_version", "celery-redis-plus needs Redis 7.0", value=host.redis.version)


RULES = (
    Rule("worker-names", ERROR, "Worker groups of a host have names of their own.", "node names must be unique: inspect would reach one of two", WORKERS, "rename one", _worker_names, acceptable=False),
    Rule("queue-names", ERROR, "A queue is declared once.", "the second entry would be dead", CONFIG, "delete one", _queue_names, acceptable=False),
    Rule("autoscale-order", ERROR, "Autoscale is [max, min].", "Celery takes the first as the maximum", WORKERS, "swap the numbers", _autoscale, acceptable=False),
    Rule("autoscale-pool", ERROR, "Only pools that can grow are scaled.", "Celery ends with an error", WORKERS, "use prefork, or drop autoscale", _autoscale_pool, acceptable=False),
    Rule("solo-concurrency", ERROR, "A solo pool has one slot.", "the number would mean nothing", WORKERS, "write concurrency: 1", _solo_concurrency),
    Rule("child-limits", WARNING, "Child limits stand where there are children.", "only prefork replaces children", WORKERS, "use prefork, or drop the limit", _child_limits),
    Rule("child-memory", ERROR, "All children of a worker fit into its MemoryMax.", "the kernel kills a child before Celery replaces it", "systemd.resource-control(5)", "raise memory_max or lower max_memory_per_child", _child_memory),
    Rule("supervisor-limits", WARNING, "Resource limits stand where the manager enforces them.", "supervisor has no such limits", "http://supervisord.org/configuration.html", "use systemd, or drop the limit", _supervisor_limits),
    Rule("beat-when", ERROR, "A periodic task has an interval or a crontab.", "beat could not tell when", PERIODIC, "keep one of the two", _beat_when, acceptable=False),
    Rule("beat-cron", ERROR, "A crontab is one that Celery can read.", "beat ends with an error", PERIODIC, 'write "minute hour day month weekday"', _beat_cron, acceptable=False),
    Rule("beat-names", ERROR, "Periodic tasks have names of their own.", "the second would replace the first", PERIODIC, "rename one", _beat_names, acceptable=False),
    Rule("beat-expires", WARNING, "Runs of a periodic task expire.", "after a pause of the workers all missed runs start at once", PERIODIC, "set expires", _beat_expires),
    Rule("flower-events", WARNING, "Where Flower runs, workers send events.", "Flower shows nothing without them", "https://flower.readthedocs.io/en/latest/", "set celery_worker_send_task_events: true; it costs about a third of throughput", _flower_events),
    Rule("extra-config-known", ERROR, "celery_extra_config holds keys that Celery knows and that have no setting here.", "Celery ignores a misspelt key", CONFIG, "correct the key", _extra_known),
    Rule("remote-control", WARNING, "Workers answer remote control.", "verify, drain and rolling restarts ask them", WORKERS, "set celery_worker_enable_remote_control: true", _remote_control),
    Rule("timezone-known", ERROR, "The time zone exists.", "beat ends with an error", CONFIG, "write UTC", _timezone, acceptable=False),
    Rule("plus-supported", ERROR, "The redis-plus transport finds Python 3.13 and Redis 7.0.", "it cannot be installed on older ones", "https://pypi.org/project/celery-redis-plus/", "raise the version, or use transport redis", _plus_python, acceptable=False),
)
