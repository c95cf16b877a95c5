"""Delivery to several workers: who is busy does not hoard."""

from __future__ import annotations

from bench.ledger import Ledger
from bench.node import Node
from bench.rest import queued
from bench.stack import Stack
from bench.stage import Mutation
from drill.history import Kind
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.delivery import PAIR, SLOTS, SOON, at_work

pytestmark = variant(hosts=PAIR, **SOON)

WAITING = 8
HOARDING = Mutation("every worker prefetches", "*/compose.yml", r'("--prefetch-multiplier", )"1"', r'\1"8"')
QUEUE = "fast"


def consume(stack: Stack, worker: Node, how: str) -> None:
    """Have a worker begin or end to take tasks; what it holds stays with it."""
    said = getattr(stack.control.control, how)(QUEUE, destination=[worker.celery_name], reply=True, timeout=2, limit=1)
    assert "ok" in said[0][worker.celery_name], said


@promise(
    "busy-worker-does-not-hoard",
    "A worker that is busy holds no task beyond those it runs.",
    fault="one worker of two takes nothing",
    settings=("celery_worker_prefetch_multiplier", "celery_task_acks_late"),
    unit=f"tasks held by a worker of {SLOTS} slots",
    at_most=SLOTS,
)
def test_a_busy_worker_does_not_hoard(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    _, other = stack.workers
    consume(stack, other, "cancel_consumer")
    at_work(ledger)
    ledger.send(WAITING)
    held = queued(stack)["unacked"]
    consume(stack, other, "add_consumer")
    ledger.drain()
    proof(held, f"of {SLOTS + WAITING} sent")


@promise(
    "idle-worker-takes-the-rest",
    "Tasks do not wait behind a busy worker when another one is free.",
    fault="one worker of two is busy, and was the only one when they came",
    settings=("celery_worker_prefetch_multiplier", "celery_task_acks_late"),
    unit="tasks that waited for the busy worker",
    exactly=0,
    mutations=(HOARDING,),
)
def test_an_idle_worker_takes_the_rest(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    busy, other = stack.workers
    consume(stack, other, "cancel_consumer")
    at_work(ledger)
    quick = set(ledger.send(WAITING))
    consume(stack, other, "add_consumer")
    ledger.drain()
    waited = [
        run for run in ledger.events(Kind.STARTED) if run.entry in quick and run.detail["worker"] == busy.celery_name
    ]
    proof(len(waited), f"of {WAITING}")
