"""Retries when something dies: the child that runs them, the worker that holds them, the Redis that keeps them."""

from __future__ import annotations

import pytest

from bench.rest import queued
from bench.stack import Stack
from bench.stage import Mutation
from engine.waiting import await_truth
from integration_tests.promise import Proof, promise
from integration_tests.promises.delivery import STOCK
from integration_tests.promises.outcomes import outcomes, send, status
from integration_tests.promises.short import SHORT

TASKS = 5
MAX_RETRIES = 3  # of a task that says nothing, as probe.crash
DONE = 2  # retries that the poison counts from the start: a worker takes up to 5 s to see a child's death
# Above those 5 s: a hard limit that passes before ends the task as a TimeLimitExceeded, and nothing is retried.
PATIENT = {"time_limit": 30, "soft_time_limit": 29}
UNCOUNTED = Mutation(
    "a lost child is not counted",
    "*/etc/celery/celeryconfig.py",
    r"^task_retry_on_worker_lost = True$",
    "task_retry_on_worker_lost = False",
)


def deaths(stack: Stack) -> int:
    """Return how many pool children were killed so far."""
    return stack.worker.logs().count("exited with 'signal 9 (SIGKILL)'")


@promise(
    "lost-child-retried",
    "A task whose pool child is killed runs again.",
    fault="kill -9 of a pool child",
    settings=("celery_task_acks_late", "celery_task_reject_on_worker_lost", "celery_task_retry_on_worker_lost"),
    unit="tasks lost",
    exactly=0,
)
def test_a_killed_childs_task_runs_again(stack: Stack, proof: Proof) -> None:
    before = deaths(stack)
    ended = outcomes(stack, [send(stack, "probe.crash", times=1, options=PATIENT)], 15)
    answered = [meta for meta in ended if meta["status"] == "SUCCESS"]
    proof(1 - len(answered), f"{deaths(stack) - before} child killed")


@promise(
    "poison-capped",
    "A task that always kills its child is given up after max_retries: it never loops for ever.",
    fault="a task that kills its child, each time",
    settings=("celery_task_reject_on_worker_lost", "celery_task_retry_on_worker_lost"),
    unit="children killed, then FAILURE",
    exactly=1 + MAX_RETRIES - DONE,
    mutations=(UNCOUNTED,),
)
def test_poison_is_given_up(stack: Stack, proof: Proof) -> None:
    before = deaths(stack)
    ended = outcomes(stack, [send(stack, "probe.crash", times=10, options={**PATIENT, "retries": DONE})], 20)
    said = ended[0]["status"] if ended else "no end"
    killed = deaths(stack) - before
    proof(killed if said == "FAILURE" else -killed, f"max_retries {MAX_RETRIES}, of them {DONE} done, then {said}")


@STOCK  # on redis-plus they are back after the next sweep, within two minutes
@SHORT
@pytest.mark.parametrize("fault", ["worker stopped", "worker killed", "Redis killed"])
@promise(
    "retry-survives-restart",
    "Retries that wait for their time survive a restart of the worker that holds them, and of Redis.",
    fault="SIGTERM or kill -9 of the worker, kill -9 of Redis",
    settings=("redis_appendonly", "celery_task_acks_late", "celery_visibility_timeout"),
    unit="tasks lost",
    exactly=0,
)
def test_waiting_retries_survive(stack: Stack, proof: Proof, fault: str) -> None:
    sent = [send(stack, "probe.retry", failures=1, base=2.0, jitter=False) for _ in range(TASKS)]
    seen: set[str] = set()  # a busy machine may end the first before the last begins

    def all_wait() -> int:
        waiting = {task for task in sent if status(stack, task) == "RETRY"}
        seen.update(waiting)
        # Held, each of them: what is between a queue and `unacked` is the pop gap, which the delivery suite measures.
        return len(waiting) if len(seen) == TASKS and queued(stack)["unacked"] == len(waiting) else 0

    waiting = await_truth("retries that wait for their time", all_wait, 8)
    node = stack.redis if fault == "Redis killed" else stack.worker
    if fault == "worker stopped":
        node.stop()
    else:
        node.kill()
    node.start()
    ended = [meta for meta in outcomes(stack, sent, 20) if meta["status"] == "SUCCESS"]
    starts = [[run["started_at"] for run in meta["result"]["attempts"]] for meta in ended]
    late = max((run[-1] - run[0] for run in starts), default=0)
    proof(
        TASKS - len(ended), f"of {TASKS}, {waiting} waiting, the last after {late:.1f} s, asked for after 2 s; {fault}"
    )
