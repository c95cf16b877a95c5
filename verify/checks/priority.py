"""Does an urgent task overtake those that wait? Tried behind a short block of all slots of a queue."""

from __future__ import annotations

from functools import partial

from verify.answer import Answer
from verify.checks.queues import Canaries, backlog
from verify.checks.stage import Stage, consumers
from verify.context import PATIENCE
from verify.expected import ExpectedWorker
from verify.inspection import Inspection
from verify.model import Hint, Outcome, Promise, Row, Status, broken, kept, unchecked
from verify.threads import until
from verify.words import plural

ORDER = Promise(
    "behaviour.priority",
    "an urgent task overtakes those that wait",
    ("celery_priority_steps", "celery_queue_order_strategy", "celery_worker_prefetch_multiplier"),
    "overtaken",
)
PROMISES = (ORDER,)

BLOCK = 0.15  # seconds that a slot is held while the tasks are published
WORK = 0.03  # seconds of each task: ten times the resolution of their ends
MOST_SLOTS = 32  # more are not blocked: the order is the same
TRIES = 2  # other tasks may take a slot between block and publish


def check(main: Stage, canaries: Canaries, found: Inspection) -> None:
    """Judge on the queue whose live consumers have the fewest slots."""
    board, application = main.target.board, main.target.application
    settings = application.settings
    works = [name for name in application.queues if canaries.rows[name].status is Status.PASSED]
    reason = ""
    if settings.transport == "redis" and (
        settings.queue_order_strategy != "priority" or len(settings.priority_steps) < 2
    ):
        reason = "celery_queue_order_strategy or celery_priority_steps promise no order"
    if reason:
        board.add(Row(ORDER, main.queue, unchecked(reason)))
        return
    stages = [main.elsewhere(name, canaries.rows[name]) for name in works] or [main]
    stage = min(stages, key=lambda one: sum(worker.slots for worker in consumers(one, found)) or MOST_SLOTS + 1)
    stage.judge(ORDER, partial(_order, stage, consumers(stage, found)))


def _order(stage: Stage, workers: tuple[ExpectedWorker, ...]) -> Outcome:
    slots = sum(worker.slots for worker in workers)
    if not slots:
        return unchecked("its workers do not tell their slots: celery_worker_enable_remote_control is false")
    if slots > MOST_SLOTS:
        return unchecked(f"{slots} slots would have to be blocked, more than {MOST_SLOTS}")
    if any(worker.prefetch_multiplier == 0 for worker in workers):
        return unchecked("a prefetch multiplier of 0 takes every task out of the queue at once: there is no order")
    for _ in range(TRIES):
        urgent, patient = _run(stage, workers, slots)
        for answer in urgent + patient:
            if not answer.ok:
                return stage.unanswered(answer)
        alone = len({worker.host.name for worker in workers}) == 1
        wrong = crossed([_moment(answer, alone) for answer in urgent], [_moment(answer, alone) for answer in patient])
        figure = f"{plural(len(urgent), 'urgent task')} first, {wrong} of {len(urgent) * len(patient)} pairs in the wrong order"
        # Several slots take tasks at the same moment: there the ends of neighbours may cross.
        if wrong <= (len(urgent) * len(patient) / 4 if slots > 1 else 0):
            return kept(f"{plural(len(urgent), 'urgent task')} first, of {len(urgent + patient)}")
    look = "the transport options that the workers run with, and their prefetch"
    return broken(figure, Hint(figure, look, stage.target.words.make("deploy") + ", or restart the workers"))


def crossed(urgent: list[float], patient: list[float]) -> int:
    """Return in how many pairs the urgent task came after the patient one."""
    return sum(one >= other for one in urgent for other in patient)


def _moment(answer: Answer, alone: bool) -> float:
    """Return when a task ran: by the clock of its one host, or by ours where hosts might disagree."""
    return float(answer.value["started_at"]) if alone else answer.ended or 0.0


def _run(stage: Stage, workers: tuple[ExpectedWorker, ...], slots: int) -> tuple[list[Answer], list[Answer]]:
    """Block every slot, fill what is prefetched, publish patient tasks and then urgent ones."""
    answers, settings = stage.target.answers, stage.target.application.settings
    steps = sorted(settings.priority_steps)
    first, last = (steps[0], steps[-1]) if settings.transport == "redis" else (steps[-1], steps[0])
    reserved = sum(worker.slots * worker.prefetch_multiplier for worker in workers)
    fillers = reserved - slots if settings.task_acks_late else reserved
    # as urgent as what shall overtake: they must not wait themselves
    for _ in range(slots):
        answers.send("probe.sleep", stage.queue, {"seconds": BLOCK}, priority=first)
    for _ in range(fillers):
        answers.send("probe.noop", stage.queue, priority=first)
    until(lambda: backlog(stage.target, stage.queue) == 0, BLOCK / 2, pause=0.005)
    count = max(2, slots)
    patient = [answers.send("probe.sleep", stage.queue, {"seconds": WORK}, priority=last) for _ in range(count)]
    urgent = [answers.send("probe.sleep", stage.queue, {"seconds": WORK}, priority=first) for _ in range(count)]
    answers.wait(urgent + patient, BLOCK + count * WORK + PATIENCE)
    return urgent, patient
