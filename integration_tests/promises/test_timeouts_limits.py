"""Time limits of tasks in the prefork pool: caught, enforced, and what becomes of child and message."""

from __future__ import annotations

import contextlib
import math
import time
from typing import Any

import pytest

from bench.ledger import Ledger
from bench.rest import queued
from bench.stack import Stack
from bench.stage import Mutation
from engine.errors import NotPossible
from engine.waiting import await_truth
from integration_tests.promise import Proof, promise
from integration_tests.promises.outcomes import outcomes, send, status
from integration_tests.promises.short import SHORT

ENFORCED = 2.0  # seconds after which a limit that has passed must have done its work
SOFT, HARD, SLOTS = 3, 4, 2  # of inventories/integration
# Both: a hard limit counts only once the soft one has passed, be that of the settings.
OWN = {"soft_time_limit": 0.5, "time_limit": 1}
NO_HARD_LIMIT = Mutation("no hard limit", "*/compose.yml", r'"--time-limit", "4"', '"--time-limit", "40"')
LIMITS = ("celery_task_soft_time_limit", "celery_task_time_limit")


def settled(stack: Stack, seconds: float = 5.0) -> bool:
    """Wait until Redis holds no message any more; return whether that came about."""
    with contextlib.suppress(NotPossible):
        await_truth("no message left", lambda: not any(queued(stack).values()), seconds)
        return True
    return False


@pytest.mark.parametrize(
    ("options", "limit"),
    [pytest.param({}, SOFT, id="of the settings"), pytest.param({"soft_time_limit": 1}, 1, id="of the message")],
)
@promise(
    "soft-limit-caught",
    "A task is told of its soft limit by an exception, and has the time to clean up.",
    fault="a task that runs too long",
    settings=LIMITS,
    unit="s after the limit, cleaned up and answered",
    at_least=-0.1,  # two clocks: the worker's, and the task's
    at_most=0.9,
)
def test_soft_limit_is_caught(stack: Stack, proof: Proof, options: dict[str, Any], limit: float) -> None:
    sent = send(stack, "probe.soft_limit", seconds=8, options=options)
    answers = [meta["result"] for meta in outcomes(stack, [sent], limit + 3) if meta["status"] == "SUCCESS"]
    good = [answer for answer in answers if answer["limited"] and answer["cleaned"]]
    proof(good[0]["after"] - limit if good else math.inf, f"limit {limit} s")


@promise(
    "hard-limit-of-settings",
    "A task that ignores its soft limit is ended at the hard limit: none holds its slot for ever.",
    fault="a task that hangs",
    settings=LIMITS,
    unit="s after the limit",
    at_least=0,
    at_most=ENFORCED,
    mutations=(NO_HARD_LIMIT,),
)
def test_hard_limit_of_the_settings(stack: Stack, proof: Proof) -> None:
    proof(over_the_limit(stack, {}, HARD), f"limit {HARD} s")


@promise(
    "hard-limit-of-message",
    "A message may bring limits of its own.",
    fault="a task that hangs",
    settings=LIMITS,
    unit="s after the limit",
    at_least=0,
    at_most=ENFORCED,
)
def test_hard_limit_of_a_message(stack: Stack, proof: Proof) -> None:
    proof(over_the_limit(stack, OWN, OWN["time_limit"]), f"limit {OWN['time_limit']} s")


def over_the_limit(stack: Stack, options: dict[str, Any], limit: float) -> float:
    """Return how many seconds after its limit a task was told to have failed of it; infinite if it was not."""
    began = time.monotonic()
    sent = send(stack, "probe.hard_limit", seconds=8, options=options)
    ended = outcomes(stack, [sent], limit + ENFORCED + 0.5)
    killed = any(meta["status"] == "FAILURE" and "TimeLimitExceeded" in repr(meta["result"]) for meta in ended)
    return time.monotonic() - began - limit if killed else math.inf


@promise(
    "hard-limit-child-replaced",
    "The children that are killed at a hard limit are replaced: at once, or when Celery next looks, every 5 s.",
    fault="tasks that hang, in every slot",
    settings=LIMITS,
    unit="s from the limit until the pool is whole and takes tasks",
    at_least=0,
    at_most=5 + ENFORCED,
)
def test_killed_children_are_replaced(stack: Stack, proof: Proof) -> None:
    await_truth("a whole pool", lambda: len(stack.worker.children()) == SLOTS, 10)
    before = set(stack.worker.children())
    began = time.monotonic()
    for _ in range(SLOTS):
        send(stack, "probe.hard_limit", seconds=10, options=OWN)
    ended = outcomes(stack, [send(stack, "probe.sleep", seconds=0.2) for _ in range(SLOTS)], 12)
    with contextlib.suppress(NotPossible):
        await_truth("a whole pool", lambda: len(stack.worker.children()) == SLOTS, 10)
    after = time.monotonic() - began - OWN["time_limit"]
    whole = len(ended) == SLOTS == len(set(stack.worker.children()) - before)
    proof(after if whole else math.inf, f"{SLOTS} children killed")


@pytest.mark.parametrize("options", [{"soft_time_limit": 1}, OWN], ids=["soft", "hard"])
@promise(
    "limit-acknowledged",
    "A task that a limit ended is acknowledged, late acks or not: it does not run again.",
    fault="a task that runs too long",
    settings=("celery_task_acks_late", "celery_task_acks_on_timeout", "celery_task_acks_on_failure"),
    unit="runs, and no message left",
    exactly=1,
)
def test_a_limited_task_is_acknowledged(stack: Stack, ledger: Ledger, proof: Proof, options: dict[str, Any]) -> None:
    (entry,) = ledger.send(1, seconds=8, **options)
    ledger.await_started()
    gone = settled(stack)
    proof(ledger.started().count(entry) if gone else math.inf, f"acknowledged: {gone}")


@SHORT
@promise(
    "limit-not-acknowledged",
    "Without celery_task_acks_on_timeout a task that hit its hard limit runs again.",
    fault="a task that hangs",
    settings=("celery_task_acks_late", "celery_task_acks_on_timeout"),
    unit="answer of a second run",
    exactly=1,
)
def test_an_unacknowledged_limit_runs_again(stack: Stack, proof: Proof) -> None:
    sent = send(stack, "probe.hard_limit", seconds=8, options=OWN)
    said = [meta["status"] for meta in outcomes(stack, [sent], 5)]  # FAILURE, although it will run again
    with contextlib.suppress(NotPossible):
        await_truth("the second run", lambda: status(stack, sent) == "SUCCESS", 8)
    proof(status(stack, sent) == "SUCCESS", f"{said[0] if said else 'nothing'} was told in between")
