"""Persistence: what waits in Redis is there after a restart and after a kill, in the middle of a rewrite as well."""

from __future__ import annotations

import pytest

from bench.ledger import Ledger
from bench.stack import Stack
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.kept import ALONE, NO_AOF, accepted, await_more, lost, start
from integration_tests.promises.rewrite import slow_rewrite

pytestmark = ALONE
TASKS = 50
RATE = 200  # tasks a second, while Redis goes down
EVERY_MODE = pytest.mark.parametrize(
    "fsync", [pytest.param(mode, marks=variant(redis_appendfsync=mode)) for mode in ("everysec", "always", "no")]
)


def go_down(stack: Stack, how: str) -> None:
    """End Redis: stopped as its manager does it, or killed."""
    if how == "stop":
        stack.redis.stop()
    else:
        stack.redis.kill()


@promise(
    "queued-survive-restart",
    "Tasks that wait in a queue survive a restart of Redis.",
    fault="Redis stopped by SIGTERM and started",
    settings=("redis_appendonly", "redis_stop_timeout"),
    unit="tasks lost",
    exactly=0,
    mutations=(NO_AOF,),
)
def test_queued_tasks_survive_a_restart(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(TASKS)
    stack.redis.stop()
    start(stack)
    proof(lost(stack, ledger), f"of {TASKS}")


@EVERY_MODE
@promise(
    "queued-survive-kill",
    "Tasks that wait in a queue survive kill -9 of Redis: the page cache outlives the process.",
    fault="kill -9 of Redis",
    settings=("redis_appendonly", "redis_appendfsync"),
    unit="tasks lost",
    exactly=0,
)
def test_queued_tasks_survive_a_kill(stack: Stack, ledger: Ledger, proof: Proof, fsync: str) -> None:
    ledger.send(TASKS)
    stack.redis.kill()
    start(stack)
    proof(lost(stack, ledger), f"of {TASKS}, appendfsync {fsync}")


@pytest.mark.parametrize("how", ["stop", "kill"])
@promise(
    "accepted-survive-rewrite",
    "What is accepted while the append-only file is rewritten survives the end of Redis in the middle of it.",
    fault="Redis stopped, or killed by SIGKILL, during a rewrite under load",
    settings=("redis_appendonly", "redis_auto_aof_rewrite_percentage"),
    unit="tasks lost",
    exactly=0,
)
def test_tasks_survive_the_end_of_redis_in_a_rewrite(stack: Stack, ledger: Ledger, proof: Proof, how: str) -> None:
    ledger.send(TASKS)
    with ledger.stream(RATE):
        slow_rewrite(stack)
        await_more(ledger, TASKS)
        go_down(stack, how)
        start(stack)
    proof(lost(stack, ledger), f"of {len(accepted(ledger))}, {how} in a rewrite")
