"""Rules of objectives: bounds that are one, point the right way, and can be kept."""

from __future__ import annotations

from collections.abc import Iterator

from settings.fleet import Fleet, HostSettings
from settings.load_figures import least_percentile, mean_rate
from settings.loads import profiles
from settings.model.load import LoadProfile, LoadSlo
from settings.names import nearest
from settings.rules.rule import ERROR, WARNING, Rule, Violation

HERE = "this repository"
AT_LEAST = ("throughput",)
# Counted of each task; the others are the deployment's, or counted for all tasks together.
OF_TASKS = ("end_to_end", "queue_wait", "error_rate", "lost")
SHARES = ("error_rate", "redis_memory_share")


def each_slo(fleet: Fleet) -> Iterator[tuple[HostSettings, int, LoadSlo]]:
    """Yield every objective of the inventory with its host and its position in `load_slos`."""
    for host in fleet:
        for index, slo in enumerate(host.load.slos):
            yield host, index, slo


def _bounds(fleet: Fleet) -> Iterator[Violation]:
    for host, index, slo in each_slo(fleet):
        if (slo.at_most is None) == (slo.at_least is None):
            said = "neither at_most nor at_least" if slo.at_most is None else "both at_most and at_least"
            yield Violation(host, "load_slos", f"{slo.measure} has {said}", (index, "measure"), slo.measure)


def _direction(fleet: Fleet) -> Iterator[Violation]:
    for host, index, slo in each_slo(fleet):
        right = "at_least" if slo.measure in AT_LEAST else "at_most"
        wrong = "at_most" if slo.measure in AT_LEAST else "at_least"
        value = getattr(slo, wrong)
        if value is not None:
            message = f"{slo.measure} is better when it is {'more' if slo.measure in AT_LEAST else 'less'}"
            yield Violation(host, "load_slos", message, (index, wrong), f"{value:g}", f"write {right}")


def _names(fleet: Fleet) -> Iterator[Violation]:
    for host, index, slo in each_slo(fleet):
        known = profiles(host.load)
        if slo.profile is not None and slo.profile not in known:
            near = nearest(slo.profile, known)
            fix = f"write {near}" if near else f"use one of: {', '.join(sorted(known))}"
            message = f"there is no workload {slo.profile!r}"
            yield Violation(host, "load_slos", message, (index, "profile"), slo.profile, fix)
        elif slo.task is not None:
            yield from _task(host, index, slo, known)


def _task(host: HostSettings, index: int, slo: LoadSlo, known: dict[str, LoadProfile]) -> Iterator[Violation]:
    place, task = (index, "task"), slo.task or ""
    if not slo.measure.startswith(OF_TASKS):
        message = f"{slo.measure} is not counted task by task"
        yield Violation(host, "load_slos", message, place, task, "delete task")
    elif slo.profile is None:
        message = f"{task!r} is a task of one workload, and this objective holds in every one"
        yield Violation(host, "load_slos", message, place, task, "name its profile")
    else:
        names = [kind.name for kind in known[slo.profile].tasks]
        if task not in names:
            near = nearest(task, names)
            fix = f"write {near}" if near else f"use one of: {', '.join(names)}"
            yield Violation(host, "load_slos", f"{slo.profile} has no task {task!r}", place, task, fix)


def _twice(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        seen: set[tuple[str, str | None, str | None]] = set()
        for index, slo in enumerate(host.load.slos):
            key = (slo.measure, slo.task, slo.profile)
            if key in seen:
                message = f"{slo.measure} has two objectives for the same tasks: the last would hold"
                yield Violation(host, "load_slos", message, (index, "measure"), slo.measure)
            seen.add(key)


def _possible(fleet: Fleet) -> Iterator[Violation]:
    for host, index, slo in each_slo(fleet):
        known = profiles(host.load)
        meant = list(known.values()) if slo.profile is None else [known[slo.profile]] if slo.profile in known else []
        for message, bound, fix in _impossible(slo, meant):
            yield Violation(host, "load_slos", message, (index, bound), f"{getattr(slo, bound):g}", fix)


def _impossible(slo: LoadSlo, meant: list[LoadProfile]) -> Iterator[tuple[str, str, str]]:
    """Yield message, bound and fix of what no deployment could keep, or none could break."""
    most, least = slo.at_most, slo.at_least
    if most is not None and slo.measure in SHARES and most > 1:
        yield f"{slo.measure} is a share, which is never above 1", "at_most", "write 0.01 for one in a hundred"
    if most == 0 and slo.measure.startswith(("end_to_end", "redis_memory", "worker_memory")):
        yield f"{slo.measure} is never 0", "at_most", "write what may be"
    for profile in meant:
        if least is not None and slo.measure == "throughput" and profile.phases:
            rate = mean_rate(profile)
            if least > rate:
                message = f"no more than {rate:.4g} tasks/s arrive in {profile.name} after its warm-up"
                yield message, "at_least", f"write at most {rate:.4g}, or raise the rate of the phases"
        if most and slo.measure.startswith("end_to_end_p"):
            share = int(slo.measure[-2:]) / 100
            takes = least_percentile([one for one in profile.tasks if slo.task in (None, one.name)], share)
            if takes > most:
                message = f"{slo.task or 'that share of the tasks'} of {profile.name} takes {takes:g} s by itself"
                yield message, "at_most", f"write more than {takes:g}"


def _order(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        bounds: dict[tuple[str, str | None, str | None], float | None] = {
            (slo.measure, slo.task, slo.profile): slo.at_most for slo in host.load.slos
        }
        for index, slo in enumerate(host.load.slos):
            kind, _, percent = slo.measure.rpartition("_p")
            for higher in ("95", "99"):
                above = bounds.get((f"{kind}_p{higher}", slo.task, slo.profile))
                if kind and percent < higher and above is not None and slo.at_most is not None and slo.at_most > above:
                    message = f"{kind}_p{higher} may be {above:g} s at most, and p{percent} is never above it"
                    yield Violation(host, "load_slos", message, (index, "at_most"), f"{slo.at_most:g}")


RULES = (
    Rule(
        id="slo-bound",
        severity=ERROR,
        says="An objective has one bound.",
        why="without one it demands nothing, with two it is two",
        source=HERE,
        fix="write at_most, or at_least for throughput",
        check=_bounds,
        acceptable=False,
    ),
    Rule(
        id="slo-direction",
        severity=ERROR,
        says="Throughput is demanded at least, everything else at most.",
        why="the worse a deployment, the better it would keep the objective",
        source=HERE,
        fix="turn the bound round",
        check=_direction,
        acceptable=False,
    ),
    Rule(
        id="slo-names",
        severity=ERROR,
        says="An objective names a workload that exists, and a task of it.",
        why="what is not measured is not kept",
        source=HERE,
        fix="correct the name",
        check=_names,
        acceptable=False,
    ),
    Rule(
        id="slo-twice",
        severity=ERROR,
        says="A measure of the same tasks has one objective.",
        why="a later one replaces the earlier without a word",
        source=HERE,
        fix="delete one",
        check=_twice,
        acceptable=False,
    ),
    Rule(
        id="slo-possible",
        severity=ERROR,
        says="An objective can be kept, and can be broken.",
        why="it would tell nothing of the deployment",
        source=HERE,
        fix="write a bound that a good run keeps and a bad one breaks",
        check=_possible,
    ),
    Rule(
        id="slo-order",
        severity=WARNING,
        says="A lower percentile has the lower bound.",
        why="the higher one's objective breaks first, and the lower one's never",
        source=HERE,
        fix="lower it, or raise the other",
        check=_order,
    ),
)
