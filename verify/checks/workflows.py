"""Do chains, groups and chords come to their end?"""

from __future__ import annotations

from collections.abc import Callable
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


def _ended(stage: Stage, ids: list[str], due: list[object]) -> Outcome:
    answers = [stage.target.answers.watch(task_id) for task_id in ids]
    stage.target.answers.wait(answers, PATIENCE)
    for answer in answers:
        if not answer.ok:
            return stage.unanswered(answer)
    values = [answer.value for answer in answers]
    if values == due:
        return kept(seconds(max(answer.elapsed for answer in answers)))
    return broken(
        str(values),
        Hint(f"{values} came, and {due} is due", "which release the workers run", stage.target.words.make("deploy")),
    )


def _chain(stage: Stage) -> Outcome:
    """1 + 2, then + 3, then + 4."""
    work = chain(_task(stage, "add", 1, 2), _task(stage, "add", 3), _task(stage, "add", 4), app=stage.target.client)
    return _ended(stage, [work.apply_async().id], [10])


def _group(stage: Stage) -> Outcome:
    work = group([_task(stage, "add", number, number) for number in NUMBERS], app=stage.target.client)
    return _ended(stage, [result.id for result in work.apply_async().results], [2 * number for number in NUMBERS])


def _chord(stage: Stage) -> Outcome:
    work = chord(
        [_task(stage, "add", number, number) for number in NUMBERS], _task(stage, "sum"), app=stage.target.client
    )
    return _ended(stage, [work.apply_async().id], [2 * sum(NUMBERS)])
