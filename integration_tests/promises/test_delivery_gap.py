"""Delivery in the gap between Redis' handing out a task and the worker's writing it down: open on one transport, closed on the other."""

from __future__ import annotations

from bench.ledger import Ledger
from bench.stack import Stack
from drill.verdict import Verdict
from engine.waiting import await_truth
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.delivery import BACK, PAIR, PLUS, SOON, back, settled, swept, told, waiting

TRIES = 5.0  # seconds
WORKER_KILLS = 4
REDIS_KILLS = 2
RATE = 100  # tasks a second

STOCK = variant(hosts=PAIR, celery_transport="redis", **SOON)
CLOSED = variant(hosts=PAIR, **PLUS)


def killed_in_the_gap(stack: Stack, ledger: Ledger) -> None:
    """Freeze the workers while they wait for a task, let Redis hand out one to each, and kill them."""

    def handed_out() -> bool:
        for worker in stack.workers:
            worker.pause()
        entries = ledger.send(len(stack.workers))
        if waiting(stack) == 0:
            return True
        for worker in stack.workers:  # one was between two waits: not this time
            worker.resume()
        await_truth("the end of a missed try", lambda: set(entries) <= set(ledger.finished()), BACK)
        return False

    await_truth("a task in the hands of every frozen worker", handed_out, TRIES)
    for worker in stack.workers:
        worker.kill()
    back(stack, *stack.workers)


def some_more(ledger: Ledger) -> None:
    """Wait until so many more tasks have finished that every worker has work."""
    enough = len(ledger.finished()) + RATE // 2
    await_truth("tasks between two kills", lambda: len(ledger.finished()) >= enough, BACK)


@STOCK
@promise(
    "pop-gap-stock",
    "On the stock transport a task is lost that Redis has handed out to a worker killed before it wrote it down (kombu 1405). A known loss.",
    fault="2 waiting workers frozen, a task for each, kill -9",
    settings=("celery_transport",),
    unit="of 2 tasks lost",
    exactly=2,
)
def test_the_gap_loses_on_the_stock_transport(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    killed_in_the_gap(stack, ledger)
    proof(len(settled(stack, ledger).lost))


@CLOSED
@promise(
    "pop-gap-plus",
    "On redis-plus a task comes back that Redis has handed out to a worker killed before it knew of it.",
    fault="2 waiting workers frozen, a task for each, kill -9",
    settings=("celery_transport", "celery_visibility_timeout"),
    unit="of 2 tasks lost",
    exactly=0,
)
def test_the_gap_is_closed_on_plus(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    killed_in_the_gap(stack, ledger)
    proof(len(swept(stack, ledger).lost))


@CLOSED
@promise(
    "plus-worker-kills-lose-none",
    "On redis-plus kill -9 of workers under load loses nothing.",
    fault=f"{WORKER_KILLS} times kill -9 of a worker, under {RATE} tasks a second",
    settings=("celery_transport", "celery_task_acks_late", "celery_visibility_timeout"),
    unit="tasks lost",
    exactly=0,
)
def test_worker_kills_lose_none_on_plus(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    with ledger.stream(RATE):
        for number in range(WORKER_KILLS):
            worker = stack.workers[number % len(stack.workers)]
            some_more(ledger)
            worker.kill()
            worker.start()
    verdict = swept(stack, ledger)
    proof(len(verdict.lost), told(verdict))


@CLOSED
@promise(
    "plus-redis-kills-lose-none",
    "On redis-plus kill -9 of Redis under load loses nothing that was accepted.",
    fault=f"{REDIS_KILLS} times kill -9 of Redis, under {RATE} tasks a second",
    settings=("celery_transport", "redis_appendonly", "celery_task_acks_late"),
    unit="tasks lost",
    exactly=0,
)
def test_redis_kills_lose_none_on_plus(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    with ledger.stream(RATE):
        for _ in range(REDIS_KILLS):
            some_more(ledger)
            stack.redis.kill()
            stack.redis.start()
            stack.await_redis()
    verdict = swept(stack, ledger, 2 * BACK)
    proof(len(verdict.lost), f"{told(verdict)}; {len(verdict.doubtful)} in doubt")
