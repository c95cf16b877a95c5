"""What the suites of delivery share: stacks that give tasks back soon, and what a fault may cost."""

from __future__ import annotations

import contextlib
from typing import Any

from bench.host import Failed
from bench.ledger import Ledger
from bench.node import Node
from bench.rest import queued
from bench.stack import Stack
from drill.verdict import Verdict
from engine.errors import NotPossible
from engine.waiting import await_truth
from integration_tests.promise import variant

SLOTS = 2  # of a worker
LONG = 1.4  # seconds that a task takes, so that it is met while it runs
BACK = 10.0  # seconds until the visibility timeout has given a task back and it has run

# A task that a dead worker held is back after 3 s, most of which its restart takes.
SOON: dict[str, Any] = {
    "celery_task_soft_time_limit": 2,
    "celery_task_time_limit": 2.5,
    "celery_visibility_timeout": 3,
}
PAIR = {"worker-2": {"groups": ["celery"]}}
# For promises about what only the transport redis does, or does otherwise: MATRIX may say redis-plus.
STOCK = variant(celery_transport="redis")
# Its workers renew what they hold, so the timeout may be shorter than a task.
PLUS: dict[str, Any] = {"celery_transport": "redis-plus", "celery_visibility_timeout": 2}


def at_work(ledger: Ledger, tasks: int = SLOTS, seconds: float = LONG, **options: Any) -> None:
    """Send long tasks and wait until every slot of a worker runs one."""
    ledger.send(tasks, seconds=seconds, **options)
    ledger.await_started(SLOTS)


def some_more(ledger: Ledger, tasks: int) -> None:
    """Wait until so many more tasks have finished."""
    enough = len(ledger.finished()) + tasks
    await_truth(f"{tasks} more tasks", lambda: len(ledger.finished()) >= enough, BACK)


def in_hand(stack: Stack, ledger: Ledger) -> None:
    """Stop the workers while they wait for a task, let Redis hand out one to each, and kill them."""
    mains = [(worker, worker.main()) for worker in stack.workers]

    # Not the freezer: it lets go of a killed container, and its worker writes the task down before it dies.
    def to_all(signal: str) -> None:
        for worker, main in mains:
            worker.signal(main, signal)

    def handed_out() -> bool:
        to_all("STOP")
        entries = ledger.send(len(stack.workers))
        left = queued(stack)
        if not sum(left.values()) - left["unacked"]:
            return True
        to_all("CONT")  # one was between two waits: not this time
        await_truth("the end of a missed try", lambda: set(entries) <= set(ledger.finished()), BACK)
        return False

    await_truth("a task in the hands of every stopped worker", handed_out, BACK)
    for worker in stack.workers:
        worker.kill()
    back(stack, *stack.workers)


def harmed(verdict: Verdict) -> int:
    """Return how many tasks were lost or run twice."""
    return len({one.entry for one in verdict.lost} | {one.entry for one in verdict.duplicated})


def told(verdict: Verdict) -> str:
    """Return a verdict for the report."""
    return f"of {verdict.acknowledged}; {len(verdict.duplicated)} run twice"


def back(stack: Stack, *nodes: Node) -> None:
    """Start workers that do not run, and wait until all take tasks."""
    for node in nodes:
        if not node.running:
            node.start()
    stack.await_workers()


def settled(stack: Stack, ledger: Ledger, seconds: float = BACK) -> Verdict:
    """Judge when nothing waits in Redis and no worker runs anything: what has not finished then is lost.

    On redis-plus each worker puts back once a minute what is overdue; here that is asked for at every look.
    """
    names = [node.celery_name for node in stack.workers if node.running]

    def nothing_left() -> bool:
        with contextlib.suppress(Failed):  # the agent's connection died with Redis: the next look has a new one
            if stack.speaks_plus:
                stack.agent("verifier").ask("sweep")
            active = stack.command("active", names)
            return set(active) == set(names) and not any(active.values()) and not any(queued(stack).values())
        return False

    with contextlib.suppress(NotPossible):
        await_truth("the end of every task", lambda: nothing_left() and nothing_left(), seconds)
    return ledger.judge(seconds=0)
