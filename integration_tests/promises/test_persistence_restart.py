"""Persistence: what waits in Redis is there after a restart and after a kill."""

from __future__ import annotations

import pytest

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant

TASKS = 50
NO_AOF = Mutation("no append-only file", "*/etc/redis/broker.conf", r"^appendonly yes$", "appendonly no")
EVERY_MODE = pytest.mark.parametrize(
    "fsync", [pytest.param(mode, marks=variant(redis_appendfsync=mode)) for mode in ("everysec", "always", "no")]
)


def queue_up(stack: Stack, ledger: Ledger) -> None:
    """Leave tasks in a queue that nobody takes from."""
    stack.worker.stop()
    ledger.send(TASKS)


def lost_by(stack: Stack, ledger: Ledger) -> int:
    """Let the worker run what Redis still has; return how many tasks are gone."""
    stack.await_redis()
    stack.worker.start()
    stack.await_workers()
    return len(ledger.judge(seconds=5).lost)


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
    queue_up(stack, ledger)
    stack.redis.stop()
    stack.redis.start()
    proof(lost_by(stack, ledger), f"of {TASKS}")


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
    queue_up(stack, ledger)
    stack.redis.kill()
    stack.redis.start()
    proof(lost_by(stack, ledger), f"of {TASKS}, appendfsync {fsync}")
