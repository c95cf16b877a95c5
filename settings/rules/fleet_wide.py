"""Rules across hosts: routes and consumers, one beat, connections, Sentinel, accepted risks."""

from __future__ import annotations

import datetime
import difflib
import fnmatch
from collections.abc import Iterator
from pathlib import Path

from settings.fleet import Fleet, HostSettings
from settings.registry import registered_tasks
from settings.rules.rule import ERROR, WARNING, Rule, Violation

ROUTING = "https://docs.celeryq.dev/en/stable/userguide/routing.html"
SENTINEL = "https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/"
# Connections of one worker process beside its children's: consumer, control, events, results, two in reserve.
PER_PROCESS, PER_CHILD, RESERVE = 6, 2, 32
# Linux takes 107 bytes, macOS 103; supervisor first binds the path with its pid behind it (up to 8 characters).
SOCKET_PATH = 95
LONGEST_SOCKET = "/supervisor.sock"


def _declared(fleet: Fleet) -> set[str]:
    return {queue.name for host in fleet.celery_hosts() for queue in host.celery.queues}


def _consumed(fleet: Fleet) -> set[str]:
    return {queue for host in fleet for worker in host.workers for queue in worker.queues}


def _sent_to(fleet: Fleet) -> Iterator[tuple[HostSettings, str, tuple[str | int, ...], str]]:
    """Yield every place that sends tasks to a queue: default queue, routes, beat."""
    for host in fleet.celery_hosts():
        yield host, "celery_task_default_queue", (), host.celery.task_default_queue
        for index, route in enumerate(host.celery.routes):
            yield host, "celery_routes", (index, "queue"), route.queue
        for index, entry in enumerate(host.celery.beat_schedule):
            if entry.queue:
                yield host, "celery_beat_schedule", (index, "queue"), entry.queue


def _near(name: str, names: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), n=1)
    return f"write {near[0]}" if near else ""


def _queue_declared(fleet: Fleet) -> Iterator[Violation]:
    declared = _declared(fleet)
    for host, variable, path, queue in _sent_to(fleet):
        if queue not in declared:
            yield Violation(host, variable, f"there is no queue {queue!r} in celery_queues", path, queue, _near(queue, declared))
    for host in fleet:
        for index, worker in enumerate(host.workers):
            for position, queue in enumerate(worker.queues):
                if queue not in declared:
                    yield Violation(host, "celery_workers", f"{worker.name} consumes {queue!r}, which is not in celery_queues", (index, "queues", position), queue, _near(queue, declared))


def _queue_consumed(fleet: Fleet) -> Iterator[Violation]:
    consumed, declared = _consumed(fleet), _declared(fleet)
    for host in fleet.celery_hosts():
        for index, queue in enumerate(host.celery.queues):
            if queue.name not in consumed:
                yield Violation(host, "celery_queues", f"no worker of the fleet consumes {queue.name}", (index, "name"), queue.name)
    for host, variable, path, queue in _sent_to(fleet):
        if queue not in consumed and queue in declared and variable != "celery_task_default_queue":
            yield Violation(host, variable, f"tasks go to {queue}, and no worker of the fleet consumes it", path, queue, _near(queue, consumed))


def _queue_used(fleet: Fleet) -> Iterator[Violation]:
    used = {queue for _, _, _, queue in _sent_to(fleet)}
    for host in fleet:
        for index, worker in enumerate(host.workers):
            for position, queue in enumerate(worker.queues):
                if queue not in used:
                    yield Violation(host, "celery_workers", f"{worker.name} consumes {queue}, and no route leads there", (index, "queues", position), queue)


def _routes_match(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        names = registered_tasks(host.celery.source_kind, host.celery.source)
        if names is None:
            continue
        for index, route in enumerate(host.celery.routes):
            if not fnmatch.filter(names, route.match):
                yield Violation(host, "celery_routes", f"no task of {host.celery.source} is called {route.match!r}", (index, "match"), route.match, _near(route.match, set(names)))
        for index, entry in enumerate(host.celery.beat_schedule):
            if entry.task not in names:
                yield Violation(host, "celery_beat_schedule", f"no task of {host.celery.source} is called {entry.task!r}", (index, "task"), entry.task, _near(entry.task, set(names)))


def _source_exists(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for variable, path in (("celery_source", host.celery.source), ("celery_requirements", host.celery.requirements)):
            local = variable == "celery_requirements" or host.celery.source_kind != "git"
            if local and path and not Path(path).exists():
                yield Violation(host, variable, f"there is no {path} here", value=path)


def _one_beat(fleet: Fleet) -> Iterator[Violation]:
    beats = fleet.members("beat")
    for host in beats[1:]:
        yield Violation(host, "celery_beat_schedule", f"beat would run on {beats[0].name} and {host.name}: each periodic task twice", value=f"{len(beats)} hosts in group beat", fix="keep one host in the group beat")
    scheduled = [host for host in fleet.celery_hosts() if host.celery.beat_schedule]
    if scheduled and not beats:
        yield Violation(scheduled[0], "celery_beat_schedule", "no host of the inventory is in the group beat", value=f"{len(scheduled[0].celery.beat_schedule)} entries", fix="put one host into the group beat")


def _instance_found(fleet: Fleet) -> Iterator[Violation]:
    known = sorted({instance.name for host in fleet for instance in host.instances})
    for host in fleet.celery_hosts():
        if host.redis.managed_url:
            continue
        for variable, name in (("celery_broker_instance", host.celery.broker_instance), ("celery_result_instance", host.celery.result_instance)):
            if name not in known:
                yield Violation(host, variable, f"no host of the group redis runs an instance {name!r}", value=name, fix=f"use one of: {', '.join(known)}" if known else "put a host into the group redis, or set redis_managed_url")


def _broker_purpose(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        found = fleet.find_instance(host.celery.broker_instance)
        if found and found[1].purpose != "broker":
            yield Violation(host, "celery_broker_instance", f"{found[1].name} is for {found[1].purpose}", value=found[1].name)


def _connections(fleet: Fleet) -> Iterator[Violation]:
    need: dict[str, int] = {}
    for host in fleet.celery_hosts():
        for instance in {host.celery.broker_instance, host.celery.result_instance}:
            for worker in host.workers:
                size = max(worker.autoscale or [worker.concurrency])
                need[instance] = need.get(instance, RESERVE) + worker.processes * (PER_PROCESS + PER_CHILD * size)
            need[instance] = need.get(instance, RESERVE) + host.celery.broker_pool_limit
    for host in fleet:
        for instance in host.instances:
            wanted = need.get(instance.name, 0)
            if wanted > instance.maxclients:
                yield Violation(host, "redis_maxclients", f"workers, producers and tools may open {wanted} connections to {instance.name}", value=str(instance.maxclients), fix=f"write at least {wanted}")


def _priorities(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        used = [("celery_routes", (index, "priority"), route.priority) for index, route in enumerate(host.celery.routes)]
        used.append(("celery_task_default_priority", (), host.celery.task_default_priority))
        top = max(host.celery.priority_steps)
        for variable, path, priority in used:
            if priority is None or host.celery.transport != "redis":
                continue
            if host.celery.queue_order_strategy != "priority":
                yield Violation(host, "celery_queue_order_strategy", "priorities are used, and this order ignores them", value=host.celery.queue_order_strategy, fix="write priority")
            elif priority > top + (top - sorted(host.celery.priority_steps)[-2] if len(host.celery.priority_steps) > 1 else 0):
                yield Violation(host, variable, f"the last level is {top}, and 0 is the first", path, str(priority))


def _priority_steps(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        steps = host.celery.priority_steps
        if steps != sorted(set(steps)) or steps[0] != 0:
            yield Violation(host, "celery_priority_steps", "levels begin with 0 and rise", value=str(steps), fix=f"write {sorted({0, *steps})}")


def _sentinels(fleet: Fleet) -> Iterator[Violation]:
    sentinels = fleet.members("sentinel")
    for host in fleet.celery_hosts():
        if host.sentinel.enabled and not sentinels:
            yield Violation(host, "sentinel_enabled", "no host of the inventory is in the group sentinel", value="true")
    for host in sentinels:
        if not len(sentinels) // 2 < host.sentinel.quorum <= len(sentinels):
            yield Violation(host, "sentinel_quorum", f"of {len(sentinels)} sentinels, a majority is {len(sentinels) // 2 + 1}", value=str(host.sentinel.quorum), fix=f"write {len(sentinels) // 2 + 1}")


def _sentinel_count(fleet: Fleet) -> Iterator[Violation]:
    sentinels = fleet.members("sentinel")
    if sentinels and (len(sentinels) < 3 or len(sentinels) % 2 == 0):
        yield Violation(sentinels[0], "sentinel_enabled", f"{len(sentinels)} sentinels cannot agree when one is cut off", value=f"{len(sentinels)} hosts")


def _sentinel_master(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.members("sentinel"):
        if fleet.find_instance(host.sentinel.master_name) is None:
            yield Violation(host, "sentinel_master_name", "no host runs an instance of this name", value=host.sentinel.master_name)


def _old_master(fleet: Fleet) -> Iterator[Violation]:
    if not fleet.members("sentinel"):
        return
    for host in fleet:
        for instance in host.instances:
            if instance.purpose == "broker" and not instance.min_replicas_to_write:
                yield Violation(host, "redis_min_replicas_to_write", f"a master of {instance.name} that is cut off goes on taking tasks, which are lost at its return", value="0")


def _socket_path(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.stack.process_manager == "supervisor":
            path = (host.stack.stack_run_dir or host.stack.stack_root + "/run") + LONGEST_SOCKET
            if len(path.encode()) > SOCKET_PATH:
                yield Violation(host, "stack_run_dir", f"the path of a socket has {len(path)} characters, and {SOCKET_PATH} is the most", value=path)


def _risks_known(fleet: Fleet) -> Iterator[Violation]:
    from settings.rules import BY_ID  # noqa: PLC0415 - the list of rules holds this rule

    for host in fleet:
        for index, risk in enumerate(host.stack.accepted_risks):
            known = BY_ID.get(risk.id)
            if known is None:
                yield Violation(host, "accepted_risks", f"there is no rule {risk.id!r}", (index, "id"), risk.id, _near(risk.id, set(BY_ID)) or "see docs/rules.md")
            elif not known.acceptable:
                yield Violation(host, "accepted_risks", f"{risk.id} cannot be accepted: the deployment would not work", (index, "id"), risk.id, known.fix)


def _risks_current(fleet: Fleet) -> Iterator[Violation]:
    today = datetime.datetime.now(tz=datetime.UTC).date()
    for host in fleet:
        for index, risk in enumerate(host.stack.accepted_risks):
            if risk.until and risk.until < today:
                yield Violation(host, "accepted_risks", f"{risk.id} was accepted until {risk.until}", (index, "until"), str(risk.until))


RULES = (
    Rule("queue-declared", ERROR, "Every queue that is named is declared.", "a misspelt queue holds tasks that nobody sees", ROUTING, "add it to celery_queues", _queue_declared, acceptable=False),
    Rule("queue-consumed", ERROR, "Every queue is consumed by a worker of the fleet.", "its tasks would wait for ever", "a seed project lost a day to it; " + ROUTING, "add the queue to a worker group, or delete it", _queue_consumed),
    Rule("queue-used", WARNING, "Every consumed queue is one that tasks are sent to.", "the worker idles, and the route meant for it is missing or misspelt", ROUTING, "add a route, or drop the queue", _queue_used),
    Rule("routes-match", ERROR, "Routes and periodic tasks name tasks that exist.", "a pattern is matched with the task's name, not its module's path", "a seed project lost a day to it; " + ROUTING, "use the name given in the task's decorator", _routes_match),
    Rule("source-exists", ERROR, "The application and its requirements are there.", "nothing could be deployed", "this repository", "correct the path, relative to the repository", _source_exists, acceptable=False),
    Rule("one-beat", ERROR, "A schedule has exactly one beat.", "two beats send everything twice, none sends nothing", "https://docs.celeryq.dev/en/stable/userguide/periodic-tasks.html", "put exactly one host into the group beat", _one_beat),
    Rule("instance-found", ERROR, "Workers name a Redis instance that some host runs.", "they could not connect", "this repository", "correct the name", _instance_found, acceptable=False),
    Rule("broker-purpose", ERROR, "Queues live in an instance for brokers.", "a cache evicts them", "kombu #1063", "name an instance with purpose broker", _broker_purpose),
    Rule("enough-connections", ERROR, "Redis serves as many connections as the fleet may open.", "a refused worker ends with an error", "https://redis.io/docs/latest/develop/reference/clients/", "raise redis_maxclients and redis_limit_nofile", _connections),
    Rule("priority-order", ERROR, "Priorities are used only where the transport honours them.", "0 is first on the redis transport, and 9 on others: two seed projects had it the wrong way round", "celery #4028, #8673", "use a level of celery_priority_steps", _priorities),
    Rule("priority-steps", ERROR, "Priority levels begin with 0 and rise.", "kombu files a priority under the level below it", "kombu 5.7 transport/redis.py", "sort them", _priority_steps, acceptable=False),
    Rule("sentinel-quorum", ERROR, "A quorum is a majority of the sentinels.", "a minority could promote a second master", SENTINEL, "use more than half", _sentinels),
    Rule("sentinel-count", WARNING, "There are three sentinels or more, an odd number.", "with fewer no majority survives the loss of one", SENTINEL, "add a host to the group sentinel", _sentinel_count),
    Rule("sentinel-master", ERROR, "Sentinel watches an instance that exists.", "workers would find no master", SENTINEL, "use the name of an instance", _sentinel_master, acceptable=False),
    Rule("old-master", WARNING, "A master that lost its replicas stops taking tasks.", "what it took is thrown away when it returns as a replica", SENTINEL, "set redis_min_replicas_to_write: 1", _old_master),
    Rule("socket-path", ERROR, "A socket's path is short enough for the kernel.", "bind fails with a path that is too long", "unix(7)", "set stack_run_dir to a short directory", _socket_path, acceptable=False),
    Rule("risk-known", ERROR, "An accepted risk names a rule that can be accepted.", "a misspelt id accepts nothing", "this repository", "see docs/rules.md", _risks_known, acceptable=False),
    Rule("risk-current", WARNING, "An accepted risk has not run out.", "it was to be looked at again", "this repository", "mend it, or give it a new date and reason", _risks_current),
)
