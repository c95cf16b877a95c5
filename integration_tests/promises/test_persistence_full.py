"""Persistence: no room on the disk, or none in memory. Redis refuses, and keeps what it has accepted."""

from __future__ import annotations

import pytest

from bench.disk import Disk
from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from drill.history import Kind
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.kept import ALONE, accepted, await_answer, lost, start
from integration_tests.waiting import wait_until

pytestmark = ALONE
TASKS = 50
MOST = 300  # tasks until there is no room
PATIENCE = 15.0  # seconds until Redis accepts again
MODES = pytest.mark.parametrize(
    "fsync", [pytest.param(mode, marks=variant(redis_appendfsync=mode, disk=True)) for mode in ("everysec", "always")]
)
EVICTING = Mutation(
    "queues may be evicted", "*/etc/redis/broker.conf", r"^maxmemory-policy .*$", "maxmemory-policy allkeys-lru"
)
PAD = {"pad": "x" * 20_000}  # a header of a task


def send_until_refused(ledger: Ledger, **options: object) -> bool:
    """Send task after task until one is not accepted; return whether one was."""
    for _ in range(MOST):
        ledger.send(1, **options)
        if ledger.entries(Kind.DOUBTFUL):
            return True
    return False


@MODES
@promise(
    "disk-full",
    "Where the disk of Redis is full, tasks are refused, and none that was accepted is lost, not even by a kill -9 after "
    "room was made; Redis then goes on by itself.",
    fault="disk full, room made, kill -9 of Redis",
    settings=("redis_appendonly", "redis_appendfsync"),
    unit="accepted tasks lost",
    exactly=0,
)
def test_a_full_disk_loses_nothing(stack: Stack, disk: Disk, ledger: Ledger, proof: Proof, fsync: str) -> None:
    ledger.send(TASKS)
    disk.fill()
    try:
        refused = send_until_refused(ledger)
    finally:
        disk.empty()
    until = len(accepted(ledger))
    await_answer(stack)
    wait_until("an accepted task", lambda: ledger.send(1) and len(accepted(ledger)) > until, PATIENCE)
    stack.redis.kill()
    start(stack)
    proof(lost(stack, ledger) if refused else MOST, f"of {len(accepted(ledger))}, appendfsync {fsync}")


@variant(disk=True)
@promise(
    "disk-full-kill",
    "With appendfsync everysec, the first task that meets a full disk is acknowledged before Redis has seen the failure, and "
    "is in memory alone until there is room: a kill -9 before that loses it. A known loss.",
    fault="disk full, kill -9 of Redis, room made",
    settings=("redis_appendonly", "redis_appendfsync"),
    unit="accepted tasks lost",
    exactly=1,
)
def test_a_kill_on_a_full_disk_loses_a_task(stack: Stack, disk: Disk, ledger: Ledger, proof: Proof) -> None:
    ledger.send(TASKS)
    disk.fill()
    try:
        refused = send_until_refused(ledger)
        stack.redis.kill()
    finally:
        disk.empty()
    start(stack)
    proof(lost(stack, ledger) if refused else MOST, f"of {len(accepted(ledger))}")


@variant(redis_maxmemory="4mb")
@promise(
    "memory-full",
    "Where the memory of Redis is full, tasks are refused, and none that was accepted is lost.",
    fault="maxmemory reached",
    settings=("redis_maxmemory", "redis_maxmemory_policy"),
    unit="accepted tasks lost",
    exactly=0,
    mutations=(EVICTING,),
)
def test_full_memory_loses_nothing(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    refused = send_until_refused(ledger, headers=PAD)
    proof(lost(stack, ledger) or not refused, f"of {len(accepted(ledger))}")
