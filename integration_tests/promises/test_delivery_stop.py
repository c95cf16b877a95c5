"""Delivery over a stop: warm, cold and soft."""

from __future__ import annotations

from bench.ledger import Ledger
from bench.rest import queued
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.delivery import LONG, SLOTS, SOON, at_work, back, harmed, settled, told

pytestmark = variant(**SOON)

ENDS = 15.0  # seconds for a stop that does not wait for tasks
TOO_SHORT = Mutation("a stop is given no time", "*/compose.yml", r"^(    stop_grace_period: )40s", r"\g<1>0s")
# SIGTERM, which every manager sends, means cold; and a cold stop gives what runs some time first.
SOFT = {
    **SOON,
    "celery_worker_soft_shutdown_timeout": 2,
    "celery_environment": {"REMAP_SIGTERM": "SIGQUIT"},
    "celery_task_soft_time_limit": 3,
    "celery_task_time_limit": 4,
    "celery_visibility_timeout": 5,
}


@promise(
    "sigterm-finishes-what-runs",
    "A worker that is stopped by SIGTERM finishes what it runs and gives back the rest: nothing is lost or run twice.",
    fault="SIGTERM, and SIGKILL after celery_stop_timeout",
    settings=("celery_stop_timeout", "celery_task_time_limit"),
    unit="tasks lost or run twice",
    exactly=0,
    mutations=(TOO_SHORT,),
)
def test_a_stop_finishes_what_runs(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    at_work(ledger, 2 * SLOTS)
    took = stack.worker.stop()
    back(stack, stack.worker)
    verdict = settled(stack, ledger)
    proof(harmed(verdict), f"{told(verdict)}; stopped in {took:.1f} s")


@promise(
    "sigquit-gives-back",
    "A worker that is stopped by SIGQUIT gives back what it runs: it starts again without the visibility timeout.",
    fault="SIGQUIT",
    settings=("celery_task_acks_late",),
    unit="tasks lost or still held when the worker has ended",
    exactly=0,
)
def test_a_cold_stop_gives_back_what_runs(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    at_work(ledger, 2 * SLOTS)
    stack.worker.end_by("QUIT", ENDS)
    held = queued(stack)["unacked"]
    back(stack, stack.worker)
    verdict = settled(stack, ledger)
    proof(len(verdict.lost) + held, told(verdict))


@variant(**SOFT)
@promise(
    "soft-shutdown-finishes",
    "With REMAP_SIGTERM and a soft shutdown, tasks that end within its time are finished and none runs twice.",
    fault="SIGTERM with REMAP_SIGTERM=SIGQUIT",
    settings=("celery_worker_soft_shutdown_timeout", "celery_environment"),
    unit="tasks lost or run twice",
    exactly=0,
)
def test_a_soft_shutdown_finishes_what_ends_in_time(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    at_work(ledger)
    stack.worker.end_by("TERM", ENDS)
    back(stack, stack.worker)
    verdict = settled(stack, ledger)
    proof(
        harmed(verdict), f"{told(verdict)}; tasks of {LONG:g} s, {SOFT['celery_worker_soft_shutdown_timeout']} s given"
    )


@variant(**SOFT)
@promise(
    "soft-shutdown-gives-back",
    "What a soft shutdown does not wait for is given back at once, and nothing is lost.",
    fault="SIGQUIT",
    settings=("celery_worker_soft_shutdown_timeout", "celery_stop_timeout"),
    unit="tasks lost or still held when the worker has ended",
    exactly=0,
)
def test_a_soft_shutdown_gives_back_what_takes_longer(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    at_work(ledger, seconds=2.5)
    stack.worker.end_by("QUIT", ENDS)
    held = queued(stack)["unacked"]
    back(stack, stack.worker)
    verdict = settled(stack, ledger)
    proof(len(verdict.lost) + held, told(verdict))
