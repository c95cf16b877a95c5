"""Do chains, groups and chords come to their end?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from celery import chain, chord, group

from verify.checks.stage import Stage
from verify.context import PATIENCE
from verify.model import Hint, Outcome, Promise, Row, broken, kept
from verify.results import EXPIRES
from verify.words import seconds

CHAIN = Promise("behaviour.chain", "a chain hands each result on", ("redis_acl_users",), "duration")
GROUP = Promise("behaviour.group", "a group runs all its tasks", ("redis_acl_users",), "duration")
CHORD = Promise(
    "behaviour.chord",
    "a chord runs its body after its header",
    ("redis_acl_users", "celery_result_instance"),
    "duration",
)
PROMISES = (CHAIN, GROUP, CHORD)

NUMBERS = (1, 2, 3)


def questions(stage: Stage) -> list[Callable[[], Row]]:
    """Return the questions, to be asked at once."""
    asked = ((CHAIN, _chain), (GROUP, _group), (CHORD, _chord))
    return [partial(stage.judge, promise, partial(ask, stage)) for promise, ask in asked]


def _task(stage: Stage, name: str, *args: object) -> object:
    return stage.target.client.signature(
        f"probe.{name}", args=args, options={"queue": stage.queue, "expires": EXPIRES, "ignore_result": False}
    )


def _ended(stage: Stage, last: list[str], due: list[object], steps: Iterable[str] = ()) -> Outcome:
    """Wait for the last tasks of a workflow.

    Args:
        stage: where it runs.
        last: ids of the tasks whose results count.
        due: their results.
        steps: ids of the tasks before: one of them may say why the last never came.
    """
    before = [stage.target.answers.watch(task_id) for task_id in steps]
    answers = [stage.target.answers.watch(task_id) for task_id in last]
    stage.target.answers.wait(answers, PATIENCE)
    for answer in answers:
        if not answer.ok:
            return stage.unanswered(next((step for step in before if step.failure), answer))
    values = [answer.value for answer in answers]
    if values == due:
        return kept(seconds(max(answer.elapsed for answer in answers)))
    found = f"{values} came, and {due} is due"
    return broken(str(values), Hint(found, "which release the workers run", stage.target.words.make("deploy")))


def _chain(stage: Stage) -> Outcome:
    """1 + 2, then + 3, then + 4."""
    work = chain(_task(stage, "add", 1, 2), _task(stage, "add", 3), _task(stage, "add", 4), app=stage.target.client)
    result = work.apply_async()
    return _ended(stage, [result.id], [10], [result.parent.id, result.parent.parent.id])


def _group(stage: Stage) -> Outcome:
    work = group([_task(stage, "add", number, number) for number in NUMBERS], app=stage.target.client)
    return _ended(stage, [result.id for result in work.apply_async().results], [2 * number for number in NUMBERS])


def _chord(stage: Stage) -> Outcome:
    header = [_task(stage, "add", number, number) for number in NUMBERS]
    result = chord(header, _task(stage, "sum"), app=stage.target.client).apply_async()
    return _ended(stage, [result.id], [2 * sum(NUMBERS)], [step.id for step in result.parent.results])
