"""Where a behaviour is tried: a queue whose canary came back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from verify.answer import Answer
from verify.checks.queues import Canaries
from verify.context import Target
from verify.expected import ExpectedWorker
from verify.inspection import Inspection
from verify.model import Hint, Outcome, Promise, Row, Status, broken
from verify.words import seconds as shown


@dataclass
class Stage:
    """A queue, the workers that consume it, and the rows that its behaviours need."""

    target: Target
    queue: str
    workers: tuple[ExpectedWorker, ...]
    canary: Row  # of the queue
    gates: Iterable[Row] = ()  # what else every behaviour needs
    explained_by: Iterable[Row] = ()  # rows whose failure would explain a failure here

    def judge(self, promise: Promise, ask: Callable[[], Outcome], subject: str = "") -> Row:
        """Ask for a promise on this queue."""
        needs = [self.canary, *self.gates]
        return self.target.board.judge(promise, subject or self.queue, ask, needs=needs, explained_by=self.explained_by)

    def elsewhere(self, queue: str, canary: Row) -> Stage:
        """Return the stage of another queue of the application."""
        return replace(self, queue=queue, workers=self.target.application.queues[queue], canary=canary)

    def ask(self, task: str, kwargs: dict[str, Any], *, seconds: float, **options: Any) -> Answer:
        """Send a probe to the queue and wait for it."""
        return self.target.answers.ask(task, self.queue, kwargs, seconds=seconds, **options)

    def unanswered(self, answer: Answer) -> Outcome:
        """Say that a probe failed or did not come back."""
        log = (
            self.target.words.service(self.workers[0].host, f"celery-worker-{self.workers[0].unit}")
            if self.workers
            else "the workers"
        )
        if answer.failure:
            return broken("failed", Hint(answer.failure, log, self.target.words.make("deploy")))
        found = self.target.answers.error or f"{answer.state} after {shown(answer.elapsed)}"
        return broken("no answer", Hint(found, log, f"{self.target.words.make('verify')}, when it is quieter"))


def stage(target: Target, canaries: Canaries, gates: Iterable[Row], explained_by: Iterable[Row]) -> Stage:
    """Choose the queue for what has to be tried once: the default queue, or the first that works.

    Args:
        target: the application.
        canaries: what came back from its queues.
        gates: rows that every behaviour needs, beside the canary of its queue.
        explained_by: as of `Board.judge`.
    """
    application = target.application
    names = sorted(application.queues, key=lambda name: name != application.settings.task_default_queue)
    working = [name for name in names if canaries.rows[name].status is Status.PASSED]
    name = (working or names)[0]
    return Stage(target, name, application.queues[name], canaries.rows[name], gates, explained_by)


def of_group(main: Stage, canaries: Canaries, group: tuple[ExpectedWorker, ...]) -> Stage | None:
    """Return a stage that only prefork workers can take from, at best this group alone; None where there is none."""
    queues = main.target.application.queues
    safe = [name for name in group[0].queues if all(worker.pool == "prefork" for worker in queues[name])]
    safe.sort(key=lambda name: (canaries.rows[name].status is not Status.PASSED, len(queues[name])))
    if not safe:
        return None
    return main.elsewhere(safe[0], canaries.rows[safe[0]])


def consumers(current: Stage, found: Inspection) -> tuple[ExpectedWorker, ...]:
    """Return the workers that consume the stage's queue now."""
    return tuple(worker for worker in current.workers if current.queue in found.queues.get(worker.node, ()))
