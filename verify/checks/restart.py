"""Does nothing get lost when a pool child dies or a worker restarts? Only with --allow-restart."""

from __future__ import annotations

import threading
import time
from functools import partial
from uuid import uuid4

from verify.answer import Answer
from verify.checks import limits
from verify.checks.queues import Canaries
from verify.checks.stage import Stage, consumers, of_group
from verify.context import PATIENCE
from verify.expected import ExpectedWorker
from verify.inspection import Inspection
from verify.model import Hint, Outcome, Promise, Row, broken, kept, unchecked
from verify.results import EXPIRES
from verify.threads import together, until
from verify.words import plural, seconds

CRASH = Promise(
    "restart.crash",
    "a task whose child was killed runs again",
    ("celery_task_acks_late", "celery_task_reject_on_worker_lost", "celery_task_retry_on_worker_lost"),
    "time to the second run",
)
WARM = Promise(
    "restart.warm",
    "a warm restart loses and doubles no task",
    ("celery_stop_timeout", "celery_restart_delay", "process_manager"),
    "tasks, and time until it consumes again",
)
PROMISES = (CRASH, WARM)

PACE, SLOW_PACE = 0.05, 0.5  # seconds between two tasks of the trickle, the second after MANY of them
MANY = 200
GLANCE = 0.3  # seconds that a worker gets to say that it is back: the resolution of that time
AFTER = 20  # tasks that are sent once the worker is back
START = 30.0  # seconds that a start may take, on top of the stop
CRASHED = 20.0  # seconds until a crashed task has run again: retry delay and new child


def check(main: Stage, canaries: Canaries, found: Inspection) -> None:
    """Crash a child, then restart a worker: of the group that the behaviours were tried on."""
    board = main.target.board
    workers = consumers(main, found)
    group = tuple(worker for worker in main.workers if worker.pool == "prefork")
    stage = of_group(main, canaries, group) if group else None
    if stage is None:
        board.add(Row(CRASH, main.queue, unchecked("none of its workers has children that may die alone")))
    else:
        stage.judge(CRASH, partial(_crash, stage))
    together(limits.replaced(main, canaries, found))
    main.judge(WARM, partial(_warm, main, found, workers), workers[0].node if workers else main.queue)


def _crash(stage: Stage) -> Outcome:
    settings = stage.target.application.settings
    if not (settings.task_acks_late and settings.task_reject_on_worker_lost):
        return unchecked("celery_task_acks_late or celery_task_reject_on_worker_lost is false: such a task is lost")
    answer = stage.ask("probe.crash", {"times": 1}, seconds=CRASHED)
    if not answer.ok:
        return stage.unanswered(answer)
    how = "redelivered" if answer.value["redelivered"] else f"{answer.value['crashed']} retry"
    return kept(f"ran again after {seconds(answer.elapsed)} ({how})")


class Trickle:
    """Sends ledger tasks at a slow pace, from a thread, until it is stopped."""

    def __init__(self, stage: Stage, expires: float) -> None:
        """Start to send tasks that live so many seconds."""
        self.sent: dict[str, Answer] = {}
        self.error = ""
        self._stage, self._expires = stage, expires
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        answers, queue = self._stage.target.answers, self._stage.queue
        # A stop may take minutes: what piles up until then has to be worked off in seconds.
        while not self._stop.wait(PACE if len(self.sent) < MANY else SLOW_PACE):
            entry = f"verify-{uuid4()}"
            try:
                self.sent[entry] = answers.send("probe.ledger", queue, {"entry_id": entry}, expires=self._expires)
            except Exception as error:  # a refused publish is a finding, whatever its type
                self.error = f"{type(error).__name__}: {error}"
                return

    def stop(self) -> None:
        """End after the task that is being sent."""
        self._stop.set()
        self._thread.join()


def _warm(stage: Stage, found: Inspection, workers: tuple[ExpectedWorker, ...]) -> Outcome:
    if not workers:
        return unchecked("its workers do not answer remote control, which stops them")
    worker, target = workers[0], stage.target
    before = target.ask_nodes("stats", [worker.node]).get(worker.node, found.stats[worker.node])["pid"]
    limit = worker.host.celery.stop_timeout + worker.host.celery.restart_delay + START
    trickle = Trickle(stage, expires=limit + EXPIRES)
    until(lambda: len(trickle.sent) >= AFTER, PACE * AFTER * 4)
    started = time.monotonic()
    target.client.control.shutdown(destination=[worker.node])
    back = until(partial(_consumes, stage, worker, before), limit, pause=0.1)
    took = time.monotonic() - started
    already = len(trickle.sent)
    until(lambda: len(trickle.sent) >= already + AFTER or bool(trickle.error), PACE * AFTER * 4)
    trickle.stop()
    log = target.words.service(worker.host, f"celery-worker-{worker.unit}")
    if not back:
        return broken(
            "not back",
            Hint(
                f"{worker.node} consumes nothing {seconds(took)} after its warm stop",
                log,
                target.words.make("deploy") + ", which starts what shall run",
            ),
        )
    return _counted(stage, trickle, took, log)


def _consumes(stage: Stage, worker: ExpectedWorker, before: int) -> bool:
    """Whether a new process of the worker consumes the queue."""
    stats = stage.target.ask_nodes("stats", [worker.node], wait=GLANCE).get(worker.node)
    if not stats or stats["pid"] == before:
        return False
    queues = stage.target.ask_nodes("active_queues", [worker.node]).get(worker.node, [])
    return any(queue["name"] == stage.queue for queue in queues)


def _counted(stage: Stage, trickle: Trickle, took: float, log: str) -> Outcome:
    """Reduce the trickle to lost and doubled: deliver each entry once more, and read how often it ran before."""
    answers = stage.target.answers
    answers.wait(trickle.sent.values(), PATIENCE * 2)
    lost = [entry for entry, answer in trickle.sent.items() if not answer.ok]
    failed = next((answer.failure for answer in trickle.sent.values() if answer.failure), "")
    if "PROBE_LEDGER" in failed:
        return unchecked(f"its workers have no ledger: {failed}")
    doubled = 0
    if len({worker.host.name for worker in stage.workers}) == 1:  # hosts do not share a ledger
        again = [answers.send("probe.ledger", stage.queue, {"entry_id": entry}) for entry in trickle.sent]
        answers.wait(again, PATIENCE * 2)
        doubled = sum(answer.ok and answer.value["attempts"] > 2 for answer in again)
    else:
        doubled = sum(answer.ok and answer.value["attempts"] > 1 for answer in trickle.sent.values())
    figure = (
        f"{plural(len(trickle.sent), 'task')}, {len(lost)} lost, {doubled} twice, consumes again after {seconds(took)}"
    )
    if lost or doubled or trickle.error:
        return broken(
            figure,
            Hint(
                "; ".join(word for word in (figure, failed, trickle.error) if word),
                log,
                "raise celery_stop_timeout if the stop was cut short",
            ),
        )
    return kept(figure)
