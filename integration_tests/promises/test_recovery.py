"""Recovery: Redis goes away in every way it can; work goes on by itself, and nothing is lost but what the transport loses."""

from __future__ import annotations

import math
import time
from statistics import median

import pytest
from celery.exceptions import TimeoutError as NoResult
from redis import RedisError

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise
from integration_tests.promises import harm
from integration_tests.promises.harm import Harm, felt, through
from integration_tests.waiting import wait_until

# One that a worker was about to write down: the gap of the stock transport (kombu 1405), measured in test_delivery_*.
GAP = 1
SNAPSHOTS = Mutation("snapshots are on", "*/etc/redis/broker.conf", r'^save ""$', "save 3600 1")
KILLS = 6  # thirty of them are a drill: docs/promises.md


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (harm.killed, 0),
        (harm.killed, 3),
        (harm.stopped, 1),
        (harm.standing_still, 1),
        (harm.standing_still, 7),  # longer than celery_socket_timeout
        (harm.refusing, 2),
        (harm.worker_refused, 2),
        (harm.disconnected, 0),
        (harm.slow, 3),
        (harm.password_added, 1),
    ],
    ids=lambda value: value.__name__ if callable(value) else f"{value}s",
)
@promise(
    "consumed-again",
    "After Redis was away, tasks are consumed again within seconds and without a person; at most one is lost.",
    fault="Redis killed, stopped, frozen, refused, disconnected, slow; a second password",
    settings=("celery_socket_timeout", "celery_health_check_interval", "celery_mingle", "redis_appendonly"),
    unit="s after it is back",
    at_most=10,
)
def test_tasks_are_consumed_again(stack: Stack, ledger: Ledger, proof: Proof, fault: Harm, seconds: float) -> None:
    proof(*felt(through(stack, ledger, fault, seconds), GAP))


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [(harm.cut_off, 3), (harm.cut_off, 7), (harm.worker_cut_off, 7), (harm.vanished, 2)],
    ids=lambda value: value.__name__ if callable(value) else f"{value}s",
)
@promise(
    "silence-noticed",
    "A peer that says nothing is noticed, and tasks are consumed again when it is back.",
    fault="packets dropped without a word, on the side of Redis or of the worker; Redis dies meanwhile",
    settings=("celery_socket_timeout", "celery_socket_keepalive", "celery_health_check_interval"),
    unit="s after it is back",
    at_most=15,
)
def test_silence_is_noticed(stack: Stack, ledger: Ledger, proof: Proof, fault: Harm, seconds: float) -> None:
    proof(*felt(through(stack, ledger, fault, seconds), GAP))


@pytest.mark.parametrize("fault", [harm.out_of_memory, harm.alone, harm.password_changed], ids=lambda it: it.__name__)
@promise(
    "refusal-survived",
    "While Redis refuses what it is asked, publishes fail aloud; afterwards workers take tasks again by themselves.",
    fault="no memory left, no replica there, a password that is no longer valid",
    settings=("redis_maxmemory_policy", "redis_min_replicas_to_write", "redis_passwords", "celery_restart_delay"),
    unit="s after it is over",
    at_most=20,
)
def test_a_refusal_is_survived(stack: Stack, ledger: Ledger, proof: Proof, fault: Harm) -> None:
    proof(*felt(through(stack, ledger, fault, 3), GAP))


@promise(
    "consumed-again-median",
    "After kill -9 of Redis tasks are consumed again within three seconds, mostly, and never after more than ten.",
    fault=f"kill -9 of Redis, {KILLS} times, started at once",
    settings=("celery_mingle", "celery_socket_timeout", "redis_appendonly"),
    unit="s, the median",
    at_most=3,
)
def test_tasks_are_consumed_soon_after_a_kill(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    verdict = through(stack, ledger, harm.killed, times=KILLS)
    times = [math.inf if fault.recovered is None else fault.recovered for fault in verdict.faults]
    assert max(times) <= 10, times
    assert len(verdict.lost) <= KILLS * GAP, verdict
    proof(median(times), f"worst {max(times):.1f} s, {len(verdict.lost)} lost, {len(verdict.duplicated)} twice")


@promise(
    "failed-snapshot-harmless",
    "A snapshot that fails stops no publish where there is an append-only file.",
    fault="BGSAVE cannot write its file",
    settings=("redis_save", "redis_stop_writes_on_bgsave_error"),
    unit="publishes refused",
    exactly=0,
    mutations=(SNAPSHOTS,),
)
def test_a_failed_snapshot_stops_no_publish(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    target = stack.redis.data["/var/lib/redis/broker"] / "dump.rdb"
    target.unlink(missing_ok=True)
    target.mkdir()  # what Redis cannot rename its file to, not even as root
    try:
        with stack.client() as admin:
            admin.bgsave()
            wait_until(
                "the snapshot has failed", lambda: stack.info("persistence")["rdb_last_bgsave_status"] != "ok", 10
            )
            ledger.send(3, retry=False)
            refused = len(ledger.judge(5).doubtful)
    finally:
        target.rmdir()
        with stack.client() as admin:
            admin.bgsave()
    wait_until("a snapshot that works", lambda: stack.info("persistence")["rdb_last_bgsave_status"] == "ok", 10)
    proof(refused, "of 3")


@pytest.mark.parametrize(
    "fault", [harm.started_again, harm.disconnected, harm.standing_still], ids=lambda it: it.__name__
)
@promise(
    "waiter-not-hung",
    "Who waits for a result is told the result, or in time that there is none; nobody hangs (celery 4857).",
    fault="Redis killed and back, disconnected, or frozen for good, under a waiting get(timeout=8)",
    settings=("celery_socket_timeout", "celery_result_backend_always_retry"),
    unit="s that get(timeout=8) takes",
    at_most=14,
)
def test_a_waiter_does_not_hang(stack: Stack, proof: Proof, fault: Harm) -> None:
    result = stack.app.send_task("probe.sleep", (2,))
    wait_until("the task has begun", lambda: result.state == "STARTED", 10)
    heal = fault(stack)
    began = time.monotonic()
    try:
        result.get(timeout=8)
        told = "told the result"
    except (NoResult, RedisError, OSError) as error:
        told = f"told that there is none: {type(error).__name__}"
    finally:
        heal()
    proof(time.monotonic() - began, told)
