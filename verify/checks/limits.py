"""Are time limits enforced, and is a killed child replaced? Tried with short limits per call on each prefork group."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from verify.checks.queues import WHOAMI, Canaries
from verify.checks.stage import Stage, consumers, of_group
from verify.context import PATIENCE
from verify.expected import ExpectedWorker
from verify.inspection import Inspection
from verify.model import Hint, Outcome, Promise, Row, broken, kept, unchecked
from verify.threads import until
from verify.words import plural, seconds

SOFT_LIMIT = Promise("behaviour.soft-limit", "a task is told of its soft limit and cleans up", ("celery_task_soft_time_limit",), "when it was told")
HARD_LIMIT = Promise("behaviour.hard-limit", "a task that overruns its hard limit is killed, and its child replaced", ("celery_task_time_limit",), "how late, and time to replace")
PROMISES = (SOFT_LIMIT, HARD_LIMIT)

SOFT, HARD = 0.2, 0.4  # seconds
OVERRUN = 20.0  # seconds that the probes would take without a limit
LATE = 3.0  # seconds that a limit may come late on a busy host
SHARED = "each of its queues is shared with workers that enforce no limits"


def questions(stage: Stage, canaries: Canaries, found: Inspection) -> list[Callable[[], object]]:
    """Return a question per group of prefork workers, to be asked at once."""
    groups = stage.target.application.groups
    return [partial(_group, stage, canaries, found, name, group) for name, group in groups.items() if group[0].pool == "prefork"]


def _group(main: Stage, canaries: Canaries, found: Inspection, name: str, group: tuple[ExpectedWorker, ...]) -> None:
    """Ask one after the other: a group may have a single slot."""
    stage = of_group(main, canaries, group)
    board = main.target.board
    if stage is None:
        for promise in (SOFT_LIMIT, HARD_LIMIT):
            board.add(Row(promise, name, unchecked(SHARED)))
        return
    subject = name if name == stage.queue else f"{name} by queue {stage.queue}"
    board.judge(SOFT_LIMIT, subject, partial(_soft, stage), needs=stage.needs)
    board.judge(HARD_LIMIT, subject, partial(_hard, stage, found), needs=stage.needs)


def _soft(stage: Stage) -> Outcome:
    answer = stage.ask("probe.soft_limit", {"seconds": OVERRUN}, seconds=SOFT + LATE + PATIENCE, soft_time_limit=SOFT, time_limit=OVERRUN)
    if not answer.ok:
        return stage.unanswered(answer)
    told = answer.value
    figure = f"{told['after']:.2f} s at a limit of {SOFT:g} s"
    if told["limited"] and told["cleaned"] and told["after"] <= SOFT + LATE:
        return kept(figure)
    return broken(figure, Hint(f"limited: {told['limited']}, cleaned up: {told['cleaned']}, after {figure}", "the pool of the worker: only prefork enforces soft limits", stage.target.words.make("deploy")))


def _hard(stage: Stage, found: Inspection) -> Outcome:
    nodes = [worker.node for worker in consumers(stage, found)]
    before = {node: found.processes(node) for node in nodes}
    options = {"soft_time_limit": HARD / 2, "time_limit": HARD}
    answer = stage.ask("probe.hard_limit", {"seconds": OVERRUN}, seconds=HARD + LATE + PATIENCE, **options)
    redelivered = answer.ok and answer.value["redelivered"]  # as celery_task_acks_on_timeout: false asks
    if "TimeLimitExceeded" not in answer.failure and not redelivered:
        if answer.ok:
            return broken("not enforced", Hint(f"it ran {answer.value['after']:.2f} s under a limit of {HARD:g} s", "the pool of the worker: only prefork enforces limits", stage.target.words.make("deploy")))
        return stage.unanswered(answer)
    killed = time.monotonic()
    late = (answer.ended or killed) - (answer.started or answer.sent) - HARD
    if not until(partial(_replaced, stage, before), stage.target.budget.allow(PATIENCE)):
        return broken("not replaced", Hint(f"the child was killed and the pool of {', '.join(nodes)} is not full again", "the worker's log", "restart the worker"))
    back = stage.ask(WHOAMI, {}, seconds=PATIENCE)
    if not back.ok:
        return stage.unanswered(back)
    figure = f"{max(late, 0):.2f} s late, replaced in {time.monotonic() - killed:.2f} s"
    if late <= LATE:
        return kept(figure)
    return broken(figure, Hint(f"{seconds(late)} after a limit of {HARD:g} s", f"how busy the host is; {plural(len(nodes), 'worker')} consume {stage.queue}", stage.target.words.make("verify")))


def _replaced(stage: Stage, before: dict[str, set[int]]) -> bool:
    """Whether every pool is as large as before, and one has a child that it did not have."""
    replies = stage.target.ask_nodes("stats", list(before))
    now = {node: set(stats["pool"].get("processes", ())) for node, stats in replies.items()}
    full = all(len(now.get(node, ())) >= len(pids) for node, pids in before.items())
    return full and any(now[node] - pids for node, pids in before.items())
