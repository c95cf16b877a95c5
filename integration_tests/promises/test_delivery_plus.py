"""Delivery on redis-plus: what Redis hands out, it also writes down; kill -9 loses nothing."""

from __future__ import annotations

from bench.ledger import Ledger
from bench.stack import Stack
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.delivery import BACK, PAIR, PLUS, in_hand, settled, some_more, told

pytestmark = variant(hosts=PAIR, **PLUS)

WORKER_KILLS = 4
REDIS_KILLS = 2
RATE = 100  # tasks a second


@promise(
    "pop-gap-plus",
    "On redis-plus a task comes back that Redis has handed out to a worker killed before it knew of it.",
    fault="SIGSTOP of 2 waiting workers, a task for each, kill -9",
    settings=("celery_transport", "celery_visibility_timeout"),
    unit="of 2 tasks lost",
    exactly=0,
)
def test_the_gap_is_closed_on_plus(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    in_hand(stack, ledger)
    proof(len(settled(stack, ledger).lost))


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
            some_more(ledger, RATE // 2)
            worker.kill()
            worker.start()
    verdict = settled(stack, ledger)
    proof(len(verdict.lost), told(verdict))


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
            some_more(ledger, RATE // 2)
            stack.redis.kill()
            stack.redis.start()
            stack.await_redis()
    verdict = settled(stack, ledger, 2 * BACK)  # workers come back to Redis after 2 s
    proof(len(verdict.lost), f"{told(verdict)}; {len(verdict.doubtful)} in doubt")
