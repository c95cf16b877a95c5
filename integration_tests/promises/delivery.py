"""What the suites of delivery share: stacks that give tasks back soon, and what a fault may cost."""

from __future__ import annotations

import contextlib
from typing import Any

from bench.ledger import Ledger
from bench.node import Node
from bench.rest import queued
from bench.stack import Stack
from drill.verdict import Verdict
from engine.errors import NotPossible
from engine.waiting import await_truth

SLOTS = 2  # of a worker
LONG = 1.5  # seconds that a task takes, so that it is met while it runs
BACK = 10.0  # seconds until the visibility timeout has given a task back and it has run

# A task that a dead worker held is back after 4 s, of which its restart takes 2.
SOON: dict[str, Any] = {
    "celery_task_soft_time_limit": 2,
    "celery_task_time_limit": 3,
    "celery_visibility_timeout": 4,
}
PAIR = {"worker-2": {"groups": ["celery"]}}
# Its workers renew what they hold, so the timeout may be shorter than a task.
PLUS: dict[str, Any] = {"celery_transport": "redis-plus", "celery_visibility_timeout": 2}


def at_work(ledger: Ledger, tasks: int = SLOTS, **options: Any) -> list[str]:
    """Send long tasks and wait until every slot of a worker runs one; return the entries that run."""
    ledger.send(tasks, seconds=LONG, **options)
    ledger.await_started(min(tasks, SLOTS))
    return sorted(set(ledger.started()))


def harmed(verdict: Verdict) -> int:
    """Return how many tasks were lost or run twice."""
    return len({one.entry for one in (*verdict.lost, *verdict.duplicated)})


def told(verdict: Verdict) -> str:
    """Return a verdict for the report."""
    return f"of {verdict.acknowledged}; {len(verdict.duplicated)} run twice"


def back(stack: Stack, *nodes: Node) -> None:
    """Start workers that do not run, and wait until all take tasks."""
    for node in nodes:
        if not node.running:
            node.start()
    stack.await_workers()


def waiting(stack: Stack) -> int:
    """Return how many tasks no worker has taken yet."""
    queues = [queue.name for queue in stack.fleet.celery_hosts()[0].celery.queues]
    with stack.client() as client:
        if stack.speaks_plus:
            return sum(client.zcard(f"queue:{queue}") for queue in queues)
        return sum(client.llen(queue) for queue in queues)


def settled(stack: Stack, ledger: Ledger, seconds: float = BACK) -> Verdict:
    """Judge when nothing waits in Redis and no worker runs anything: what has not finished then is lost."""
    names = [node.celery_name for node in stack.workers if node.running]

    def nothing_left() -> bool:
        return not any(queued(stack).values()) and not any(stack.inspect("active", names).values())

    with contextlib.suppress(NotPossible):
        await_truth("the end of every task", lambda: nothing_left() and nothing_left(), seconds)
    return ledger.judge(seconds=0)


def swept(stack: Stack, ledger: Ledger, seconds: float = BACK) -> Verdict:
    """Judge on redis-plus: each of its workers puts back once a minute what is overdue, and here that is asked for."""

    def done() -> bool:
        stack.agent("verifier").ask("sweep")
        return ledger.drain(seconds=0.5)

    with contextlib.suppress(NotPossible):
        await_truth("the end of every task", done, seconds)
    return ledger.judge(seconds=0)
