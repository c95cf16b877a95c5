"""Delivery by two workers: none hoards, each may go and come, and what one had in hand."""

from __future__ import annotations

from bench.ledger import Ledger
from bench.node import Node
from bench.rest import queued
from bench.stack import Stack
from bench.stage import Mutation
from drill.history import Kind
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.delivery import PAIR, SLOTS, STOCK, at_work, back, harmed, in_hand, settled, told

pytestmark = variant(hosts=PAIR)

WAITING = 8
BACKLOG = 120
HOARDING = Mutation("every worker prefetches", "*/compose.yml", r'"--disable-prefetch", ', "")
QUEUE = "fast"


def consume(stack: Stack, worker: Node, how: str) -> None:
    """Have a worker begin or end to take tasks; what it holds stays with it."""
    said = stack.command(how, [worker.celery_name], timeout=2, queue=QUEUE)
    assert "ok" in said[worker.celery_name], said


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


@STOCK
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
    at_work(ledger, seconds=2.5)  # a worker that had no queue looks for tasks once a second
    quick = set(ledger.send(WAITING))
    consume(stack, other, "add_consumer")
    ledger.drain()
    waited = [
        run for run in ledger.events(Kind.STARTED) if run.entry in quick and run.detail["worker"] == busy.celery_name
    ]
    proof(len(waited), f"of {WAITING}")


@promise(
    "added-worker-adds-throughput",
    "A worker that is added under load takes its share at once: tasks finish nearly twice as fast, and none is lost.",
    fault="a second worker is started beside a backlog",
    settings=("celery_workers",),
    unit="times as fast",
    at_least=1.5,
)
def test_an_added_worker_adds_throughput(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    _, added = stack.workers
    added.kill()
    ledger.send(BACKLOG, seconds=0.1)
    added.start()
    assert ledger.drain()
    joined = min(run.at for run in ledger.events(Kind.STARTED) if run.detail["worker"] == added.celery_name)
    ended = [run.at for run in ledger.events(Kind.FINISHED)]
    before, after = [at for at in ended if at <= joined], [at for at in ended if at > joined]
    rates = len(before) / (joined - ledger.events(Kind.STARTED)[0].at), len(after) / (after[-1] - joined)
    proof(rates[1] / rates[0], f"{rates[0]:.0f} and {rates[1]:.0f} tasks/s")


@promise(
    "rolling-restart-loses-none",
    "A rolling restart by SIGTERM under a steady stream loses no task and runs none twice.",
    fault="SIGTERM and start of every worker in turn, under 40 tasks a second",
    settings=("celery_stop_timeout", "celery_task_acks_late"),
    unit="tasks lost or run twice",
    exactly=0,
)
def test_a_rolling_restart_loses_none(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    with ledger.stream(40, seconds=0.02):
        ledger.await_started(SLOTS)
        for worker in stack.workers:
            worker.stop()
            back(stack, worker)
    verdict = ledger.judge(seconds=10)
    proof(harmed(verdict), f"{told(verdict)}; slowest {verdict.latency.max:.1f} s")


@STOCK
@promise(
    "pop-gap-stock",
    "On the stock transport a task is lost that Redis has handed out to a worker killed before it wrote it down (kombu 1405). A known loss.",
    fault="SIGSTOP of 2 waiting workers, a task for each, kill -9",
    settings=("celery_transport",),
    unit="of 2 tasks lost",
    exactly=2,
)
def test_the_gap_loses_on_the_stock_transport(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    in_hand(stack, ledger)
    proof(len(settled(stack, ledger).lost))
