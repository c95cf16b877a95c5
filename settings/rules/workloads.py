"""Rules of workloads: each brings something, and names what there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from settings.fleet import Fleet, HostSettings
from settings.load_figures import FAULTS, arriving, length
from settings.model.load import LoadProfile, LoadTask
from settings.names import nearest
from settings.rules.rule import ERROR, WARNING, Rule, Violation, repeated

HERE = "this repository"
Steps = tuple[str | int, ...]
Found = tuple[Steps, str, str, str]  # where in the profile, message, value, fix
Check = Callable[[Fleet, HostSettings, LoadProfile], Iterator[Found]]


def everywhere(check: Check) -> Callable[[Fleet], Iterator[Violation]]:
    """Hold a check against every workload of an inventory; those that ship are tested, not asked."""

    def over(fleet: Fleet) -> Iterator[Violation]:
        for host in fleet:
            for index, profile in enumerate(host.load.profiles):
                for path, message, value, fix in check(fleet, host, profile):
                    yield Violation(host, "load_profiles", message, (index, *path), value, fix)

    return over


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


def rule_of(id_: str, check: Check, says: str, why: str, source: str, fix: str) -> Rule:
    """Return the rule that a check breaks in a workload of an inventory."""
    return Rule(
        id=id_, severity=ERROR, says=says, why=why, source=source, fix=fix, check=everywhere(check), acceptable=False
    )


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
    rule_of(
        "load-arrivals",
        _arrivals,
        "A workload has either phases or a trace, and something arrives.",
        "there would be nothing to send, or two answers to when",
        HERE,
        "keep one of them",
    ),
    rule_of(
        "load-warm-up",
        _warm_up,
        "The warm-up is shorter than the workload.",
        "objectives are judged by what comes after it",
        HERE,
        "shorten the warm-up, or lengthen the phases",
    ),
    rule_of(
        "load-faults",
        _faults,
        "A workload names faults that drills know.",
        "a misspelt fault does no harm",
        HERE,
        "use a name of drill/faults/",
    ),
    rule_of(
        "load-limits",
        _limits,
        "A task's soft limit is below its hard limit.",
        "the task is killed before it may clean up",
        HERE,
        "lower the soft limit",
    ),
    rule_of(
        "load-expires",
        _expiry,
        "A task that may expire is awaited longer than that.",
        "it counts as lost, where it was dropped as asked",
        HERE,
        "raise the limit",
    ),
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
