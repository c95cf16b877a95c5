"""Are time limits enforced, and is a killed child replaced? Tried with short limits per call on each prefork group."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from verify.answer import Answer
from verify.checks.queues import Canaries
from verify.checks.stage import Stage, consumers, of_group
from verify.context import PATIENCE
from verify.inspection import Inspection
from verify.model import Hint, Outcome, Promise, Row, broken, kept, unchecked
from verify.threads import until
from verify.words import plural, seconds

SOFT_LIMIT = Promise(
    "behaviour.soft-limit",
    "a soft limit is told, and the task cleans up",
    ("celery_task_soft_time_limit",),
    "when it was told",
)
HARD_LIMIT = Promise(
    "behaviour.hard-limit",
    "a task that overruns its limit is killed",
    ("celery_task_time_limit",),
    "how late, and time to a new child",
)
REPLACED = Promise(
    "restart.child", "a pool child that was killed is replaced", ("celery_workers",), "time to a new child"
)
PROMISES = (SOFT_LIMIT, HARD_LIMIT, REPLACED)

SOFT, HARD = 0.2, 0.3  # seconds
OVERRUN = 5.0  # seconds that the probes take without a limit
LATE = 3.0  # seconds that a limit may come late on a busy host
GLANCE = 0.7  # seconds that a new child is waited for where nobody allowed a restart
# A pool that misses the end of a child looks again every 5 s (celery 5.7, concurrency/asynpool.py, timers; measured:
# 12 of 15 replaced within 0.3 s, the others after up to 4.7 s).
SWEEP = 5.0
SHARED = "each of its queues is shared with workers that enforce no limits"


def soft(main: Stage, canaries: Canaries) -> list[Callable[[], object]]:
    """Return a question per group of prefork workers, to be asked at once."""
    return [partial(_judge, main, name, stage, SOFT_LIMIT, _soft) for name, stage in _stages(main, canaries)]


def hard(main: Stage, canaries: Canaries, found: Inspection) -> list[Callable[[], object]]:
    """Return a question per group, to be asked last: each costs the group a child for a moment."""
    return [
        partial(_judge, main, name, stage, HARD_LIMIT, partial(_hard, found)) for name, stage in _stages(main, canaries)
    ]


def replaced(main: Stage, canaries: Canaries, found: Inspection) -> list[Callable[[], object]]:
    """Return a question per group that kills a child and waits until there is another."""
    return [
        partial(_judge, main, name, stage, REPLACED, partial(_replaced, found))
        for name, stage in _stages(main, canaries)
    ]


def _stages(main: Stage, canaries: Canaries) -> list[tuple[str, Stage | None]]:
    groups = main.target.application.groups
    return [(name, of_group(main, canaries, group)) for name, group in groups.items() if group[0].pool == "prefork"]


def _judge(main: Stage, name: str, stage: Stage | None, promise: Promise, ask: Callable[[Stage], Outcome]) -> None:
    if stage is None:
        main.target.board.add(Row(promise, name, unchecked(SHARED)))
    else:
        stage.judge(promise, partial(ask, stage), name if name == stage.queue else f"{name} by queue {stage.queue}")


def _soft(stage: Stage) -> Outcome:
    options = {"soft_time_limit": SOFT, "time_limit": 2 * OVERRUN}
    answer = stage.ask("probe.soft_limit", {"seconds": OVERRUN}, seconds=OVERRUN + PATIENCE, **options)
    if not answer.ok:
        return stage.unanswered(answer)
    told = answer.value
    figure = f"{told['after']:.2f} s at a limit of {SOFT:g} s"
    if told["limited"] and told["cleaned"] and told["after"] <= SOFT + LATE:
        return kept(figure)
    found = f"limited: {told['limited']}, cleaned up: {told['cleaned']}, after {figure}"
    return broken(
        figure,
        Hint(found, "the pool of the worker: only prefork enforces soft limits", stage.target.words.make("deploy")),
    )


def _kill(stage: Stage) -> tuple[Answer, Outcome | None]:
    """Let a child overrun its hard limit; return the answer, and the outcome where it was not killed."""
    options = {"soft_time_limit": HARD / 2, "time_limit": HARD}
    answer = stage.ask("probe.hard_limit", {"seconds": OVERRUN}, seconds=OVERRUN + PATIENCE, **options)
    if "TimeLimitExceeded" in answer.failure:
        return answer, None
    if not answer.ok:
        return answer, stage.unanswered(answer)
    if answer.value["redelivered"]:  # as celery_task_acks_on_timeout: false asks
        return answer, None
    found = f"it ran {answer.value['after']:.2f} s under a limit of {HARD:g} s"
    return answer, broken(
        "not enforced",
        Hint(found, "the pool of the worker: only prefork enforces limits", stage.target.words.make("deploy")),
    )


def _hard(found: Inspection, stage: Stage) -> Outcome:
    before = _children(stage, found)
    answer, outcome = _kill(stage)
    if outcome:
        return outcome
    late = max(0.0, (answer.ended or 0) - (answer.started or answer.sent) - HARD)
    killed = time.monotonic()
    seen = until(partial(_full_again, stage, before), stage.target.budget.allow(GLANCE))
    child = f"a new child after {time.monotonic() - killed:.2f} s" if seen else f"a new child within {SWEEP:g} s"
    if late <= LATE:
        return kept(f"{late:.2f} s late, {child}")
    look = f"how busy the host is; {plural(len(before), 'worker')} consume {stage.queue}"
    return broken(
        f"{late:.2f} s late",
        Hint(f"killed {seconds(late)} after a limit of {HARD:g} s", look, stage.target.words.make("verify")),
    )


def _replaced(found: Inspection, stage: Stage) -> Outcome:
    before = {
        node: set(stats["pool"].get("processes", ()))
        for node, stats in stage.target.ask_nodes("stats", list(_children(stage, found))).items()
    }
    _, outcome = _kill(stage)
    if outcome:
        return outcome
    killed = time.monotonic()
    if until(partial(_full_again, stage, before), SWEEP + PATIENCE):
        return kept(f"after {time.monotonic() - killed:.2f} s")
    what = f"the pool of {', '.join(before)} is not full again {seconds(SWEEP + PATIENCE)} after its child was killed"
    log = stage.target.words.service(stage.workers[0].host, f"celery-worker-{stage.workers[0].unit}")
    return broken("not replaced", Hint(what, log, "restart the worker"))


def _children(stage: Stage, found: Inspection) -> dict[str, set[int]]:
    return {worker.node: found.processes(worker.node) for worker in consumers(stage, found)}


def _full_again(stage: Stage, before: dict[str, set[int]]) -> bool:
    """Whether every pool is as large as before, and one has a child that it did not have."""
    replies = stage.target.ask_nodes("stats", list(before))
    now = {node: set(stats["pool"].get("processes", ())) for node, stats in replies.items()}
    full = all(len(now.get(node, ())) >= len(pids) for node, pids in before.items())
    return full and any(now[node] - pids for node, pids in before.items())
