"""Rules of load tests: workloads that bring something, can be sent here, and can come to an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from settings.fleet import Fleet, HostSettings
from settings.load_figures import FAULTS, arriving, length
from settings.model.load import LoadProfile, LoadTask
from settings.names import nearest
from settings.registry import application_tasks
from settings.rules.broker import LAST_PRIORITY
from settings.rules.rule import ERROR, WARNING, Rule, Violation, repeated

HERE = "this repository"
Path_ = tuple[str | int, ...]
Found = tuple[Path_, str, str, str]  # where in the profile, message, value, fix
Check = Callable[[Fleet, HostSettings, LoadProfile], Iterator[Found]]


def _everywhere(check: Check) -> Callable[[Fleet], Iterator[Violation]]:
    """Hold a check against every workload of an inventory; those that ship are held against it by `unfit`."""

    def over(fleet: Fleet) -> Iterator[Violation]:
        for host in fleet:
            for index, profile in enumerate(host.load.profiles):
                for path, message, value, fix in check(fleet, host, profile):
                    yield Violation(host, "load_profiles", message, (index, *path), value, fix)

    return over


def _deployed(check: Check) -> Check:
    """Ask only hosts on which Celery runs: others need not know how it is set."""
    return lambda fleet, host, profile: check(fleet, host, profile) if host.uses_celery else iter(())


def unfit(fleet: Fleet, profile: LoadProfile) -> list[str]:
    """Return why a workload cannot be sent to a deployment, a sentence each; empty if it can."""
    found = [
        f"{profile.name}: {message}: {fix or rule.fix}."
        for rule, check in DEPLOYMENT
        for host in fleet.celery_hosts()
        for _, message, _, fix in check(fleet, host, profile)
    ]
    return list(dict.fromkeys(found))


def _profile_names(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        profiles = host.load.profiles
        for index, name in repeated([profile.name for profile in profiles]):
            yield Violation(host, "load_profiles", f"two workloads are called {name}", (index, "name"), name)
        for index, profile in enumerate(profiles):
            for position, name in repeated([task.name for task in profile.tasks]):
                message = f"two tasks of {profile.name} are called {name}"
                yield Violation(host, "load_profiles", message, (index, "tasks", position, "name"), name)


def _arrivals(_: Fleet, __: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    name = profile.name
    if bool(profile.phases) == bool(profile.trace):
        said = "both phases and a trace" if profile.trace else "neither phases nor a trace"
        yield ("name",), f"{name} has {said}", name, ""
    elif profile.phases and not arriving(profile):
        yield ("phases",), f"nothing ever arrives in {name}", "", "write a rate above 0"
    elif profile.trace:
        if profile.random:
            yield ("random",), f"{name} replays a trace, whose arrivals are not drawn", "true", "delete random"
        if wrong := _trace_error(profile.trace):
            yield ("trace",), wrong, profile.trace, "name a file with a number per line"
    if profile.phases and profile.speed != 1:
        yield ("speed",), f"{name} has no trace to replay faster", f"{profile.speed:g}", "delete speed"


def _trace_error(name: str) -> str:
    try:
        times = [float(line) for line in Path(name).read_text(encoding="utf-8").split()]
    except OSError:
        return f"{name} cannot be read"
    except ValueError:
        return f"{name} holds what is no number"
    if not times or any(later < earlier for earlier, later in pairwise(times)):
        return f"{name} is not a list of ascending times"
    return ""


def _warm_up(_: Fleet, __: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    lasts = length(profile)
    if profile.phases and profile.warm_up >= lasts:
        message = f"{profile.name} lasts {lasts:g} s, and nothing of it would be measured"
        yield ("warm_up",), message, f"{profile.warm_up:g}", f"write less than {lasts:g}"


def _faults(_: Fleet, __: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    for index, fault in enumerate(profile.faults):
        if fault not in FAULTS:
            near = nearest(fault, FAULTS)
            message = f"there is no fault {fault!r}"
            yield ("faults", index), message, fault, f"write {near}" if near else ""


def _limits(_: Fleet, __: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    for index, task in enumerate(profile.tasks):
        soft, hard = task.soft_time_limit, task.time_limit
        if soft and hard and soft >= hard:
            message = f"{task.name} would be killed at {hard:g} s, before its soft limit of {soft:g} s"
            yield ("tasks", index, "soft_time_limit"), message, f"{soft:g}", ""


def _registered(_: Fleet, host: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    names = application_tasks(host.celery)
    for path, task in _tasks(profile) if names is not None else ():
        if task not in (names or ()):
            near = nearest(task, names or ())
            yield path, f"no task of {host.celery.source} is called {task!r}", task, f"write {near}" if near else ""


def _tasks(profile: LoadProfile) -> Iterator[tuple[Path_, str]]:
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


def _ends_alone(task: LoadTask) -> bool:
    return task.expires is not None and task.limit <= task.expires


def _expiry(_: Fleet, __: HostSettings, profile: LoadProfile) -> Iterator[Found]:
    for index, task in enumerate(profile.tasks):
        if _ends_alone(task):
            message = f"{task.name} counts as lost after {task.limit:g} s, before it would expire"
            yield ("tasks", index, "expires"), message, f"{task.expires:g}", f"write less than {task.limit:g}"


def _production(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        name = Path(host.raw.directory).name
        if host.load.allowed and name.startswith("prod"):
            yield Violation(host, "load_allowed", f"{name} would be put under load", value="true")


def _rule(id_: str, check: Check, says: str, why: str, source: str, fix: str) -> Rule:
    return Rule(
        id=id_, severity=ERROR, says=says, why=why, source=source, fix=fix, check=_everywhere(check), acceptable=False
    )


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
)
DEPLOYMENT = tuple((_rule(*one), one[1]) for one in _FITS)

RULES = (
    Rule(
        id="load-names",
        severity=ERROR,
        says="Workloads of an inventory, and tasks of a workload, have names of their own.",
        why="figures of two would be told as one's",
        source=HERE,
        fix="rename one",
        check=_profile_names,
        acceptable=False,
    ),
    _rule(
        "load-arrivals",
        _arrivals,
        "A workload has either phases or a trace, and something arrives.",
        "there would be nothing to send, or two answers to when",
        HERE,
        "keep one of them",
    ),
    _rule(
        "load-warm-up",
        _warm_up,
        "The warm-up is shorter than the workload.",
        "objectives are judged by what comes after it",
        HERE,
        "shorten the warm-up, or lengthen the phases",
    ),
    _rule(
        "load-faults",
        _faults,
        "A workload names faults that drills know.",
        "a misspelt fault does no harm",
        HERE,
        "use a name of drill/faults/",
    ),
    _rule(
        "load-limits",
        _limits,
        "A task's soft limit is below its hard limit.",
        "the task is killed before it may clean up",
        HERE,
        "lower the soft limit",
    ),
    _rule(
        "load-expires",
        _expiry,
        "A task that may expire is awaited longer than that.",
        "it counts as lost, where it was dropped as asked",
        HERE,
        "raise the limit",
    ),
    *(rule for rule, _ in DEPLOYMENT),
    Rule(
        id="load-production",
        severity=WARNING,
        says="Production is not put under load.",
        why="users would wait behind the tasks of the test, and objectives demand what breaks a deployment",
        source=HERE,
        fix="write load_allowed: false, and try it on staging",
        check=_production,
    ),
)
