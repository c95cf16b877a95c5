"""Timeouts: limits of tasks per pool, the visibility timeout, the expiry of results, and the patience of clients."""

from __future__ import annotations

import contextlib
import time

import pytest
from celery.exceptions import TimeLimitExceeded
from celery.exceptions import TimeoutError as NoResult
from kombu.exceptions import OperationalError
from redis import RedisError

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from integration_tests.waiting import wait_until

SOFT, HARD = 3.0, 4.0  # seconds, of inventories/integration
VISIBLE = 8.0
POOLS = [
    {
        "name": "threads",
        "queues": ["threads"],
        "pool": "threads",
        "concurrency": 2,
        "time_limit": 0,
        "soft_time_limit": 0,
    },
    {"name": "solo", "queues": ["solo"], "pool": "solo", "concurrency": 1, "time_limit": 0, "soft_time_limit": 0},
    {"name": "main", "queues": ["fast", "slow"], "concurrency": 2},
]
ALL_POOLS = variant(
    celery_workers=POOLS,
    celery_queues=[{"name": name} for name in ("fast", "slow", "threads", "solo")],
    celery_routes=[
        {"match": "probe.long", "queue": "slow"},
        {"match": "probe.sleep", "queue": "threads"},
        {"match": "probe.whoami", "queue": "solo"},
        {"match": "probe.*", "queue": "fast"},
    ],
)
TOO_SHORT = Mutation(
    "the visibility timeout is too short", "*/etc/celery/celeryconfig.py", r"(visibility_timeout\"?(?: =|:)) 8", r"\1 2"
)


@promise(
    "soft-limit-caught",
    "At the soft limit a task is told, and cleans up.",
    fault="a task that takes too long",
    settings=("celery_task_soft_time_limit",),
    unit="s after its start",
    at_least=SOFT - 0.1,
    at_most=SOFT + 1,
)
def test_the_soft_limit_is_told(stack: Stack, proof: Proof) -> None:
    told = stack.app.send_task("probe.soft_limit", (30,)).get(timeout=15)
    assert told["limited"]
    assert told["cleaned"]
    proof(told["after"])


@promise(
    "hard-limit-enforced",
    "At the hard limit the child is killed within two seconds, the sender told, and another child takes its place.",
    fault="a task that ignores its soft limit",
    settings=("celery_task_time_limit",),
    unit="s after the limit",
    at_least=0,
    at_most=2,
)
def test_the_hard_limit_is_enforced(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    before = set(stack.worker.children())
    result = stack.app.send_task("probe.hard_limit", (30,))
    wait_until("it has begun", lambda: result.state == "STARTED", 10)
    began = time.monotonic()
    with pytest.raises(TimeLimitExceeded):
        result.get(timeout=15)
    took = time.monotonic() - began
    wait_until(
        "a new child",
        lambda: len(stack.worker.children()) == len(before) and set(stack.worker.children()) != before,
        10,
    )
    ledger.send(4)
    assert not ledger.judge(10).lost
    proof(took - HARD + 0.1)  # the state is read a moment after the start


@promise(
    "hard-limit-not-repeated",
    "A task that hit its hard limit is done: it is not delivered again.",
    fault="a task that ignores its soft limit, with late acks",
    settings=("celery_task_acks_on_timeout", "celery_task_acks_late"),
    unit="messages left",
    exactly=0,
)
def test_a_task_that_hit_its_limit_is_done(stack: Stack, proof: Proof) -> None:
    with pytest.raises(TimeLimitExceeded):
        stack.app.send_task("probe.hard_limit", (30,)).get(timeout=15)
    with contextlib.suppress(AssertionError):  # the result is stored a moment before the message is acknowledged
        wait_until("nothing is held any more", lambda: _held(stack) == 0, 3)
    proof(_held(stack))


@pytest.mark.parametrize(("pool", "limited"), [("fast", True), ("threads", False), ("solo", False)])
@ALL_POOLS
@promise(
    "limits-per-pool",
    "A soft limit holds in a prefork pool, and in no other: where it would not, the settings promise none.",
    fault="a task with soft_time_limit=1 in each pool",
    settings=("celery_workers", "celery_task_soft_time_limit"),
    unit="pools that do otherwise",
    exactly=0,
)
def test_limits_hold_where_the_pool_enforces_them(stack: Stack, proof: Proof, pool: str, limited: bool) -> None:
    result = stack.app.send_task("probe.soft_limit", (2,), queue=pool, soft_time_limit=1)
    proof(result.get(timeout=10)["limited"] is not limited, pool)


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("run below", {"seconds": 2.5}),
        ("ETA below", {"countdown": 4.0}),
        ("many ETA below", {"countdown": 3.0, "count": 20}),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
@promise(
    "below-visibility-once",
    "What is held for less than the visibility timeout runs once.",
    fault="runs and ETAs shorter than the timeout",
    settings=("celery_visibility_timeout",),
    unit="tasks run twice",
    exactly=0,
    mutations=(TOO_SHORT,),
)
def test_what_is_held_below_the_timeout_runs_once(
    stack: Stack, ledger: Ledger, proof: Proof, case: str, options: dict[str, float]
) -> None:
    count = int(options.get("count", 1))
    ledger.send(count, **{name: value for name, value in options.items() if name != "count"})
    # A second worker would take what comes back; here the same one does, at its next look, and both runs are counted.
    verdict = ledger.judge(15)
    wait_until("nothing is held any more", lambda: _held(stack) == 0, 15)
    assert not verdict.lost
    proof(len(ledger.started()) - count, case)


def _held(stack: Stack) -> int:
    with stack.client() as client:
        return int(client.hlen("unacked") + client.llen("fast"))


@promise(
    "above-visibility-twice",
    "A known cost: what is held for longer than the visibility timeout runs once more for each time that it passes.",
    fault=f"an ETA of {VISIBLE + 3:g} s against a visibility timeout of {VISIBLE:g} s",
    settings=("celery_visibility_timeout", "celery_longest_eta"),
    unit="runs of one task",
    at_least=2,
    at_most=3,
)
def test_what_is_held_above_the_timeout_runs_again(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(1, countdown=VISIBLE + 3)
    assert not ledger.judge(20).lost
    wait_until("nothing is held any more", lambda: _held(stack) == 0, 20)
    proof(len(ledger.started()))


@variant(celery_result_expires=2)
@promise(
    "results-expire",
    "Results are gone after their time, and give their memory back.",
    fault="20 results, read after they expired",
    settings=("celery_result_expires",),
    unit="results left",
    exactly=0,
)
def test_results_expire(stack: Stack, proof: Proof) -> None:
    results = [stack.app.send_task("probe.add", (1, 2)) for _ in range(20)]
    assert [result.get(timeout=10) for result in results] == [3] * 20

    def left() -> int:
        with stack.client() as client:
            return sum(1 for _ in client.scan_iter("celery-task-meta-*", count=1000))

    assert left() > 0, "they were there"
    wait_until("results have expired", lambda: left() == 0, 10)
    proof(left())


@promise(
    "get-in-time",
    "get(timeout) returns in time where there is no result.",
    fault="a task that nobody runs in time",
    settings=("celery_socket_timeout",),
    unit="s that get(timeout=1) takes",
    at_least=0.9,
    at_most=2,
)
def test_get_returns_in_time(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    result = ledger.publish(f"{ledger.prefix}-later", countdown=3, ignore_result=False)
    began = time.monotonic()
    with pytest.raises(NoResult):
        result.get(timeout=1)
    proof(time.monotonic() - began)


@pytest.mark.parametrize("fault", ["killed", "refused", "silent"])
@promise(
    "publish-fails-in-time",
    "A publish to a Redis that is not there fails, and does not hang.",
    fault="Redis killed, refusing, or silent",
    settings=("celery_socket_connect_timeout", "celery_socket_timeout", "celery_broker_connection_timeout"),
    unit="s until it raises",
    at_most=8,
)
def test_a_publish_fails_in_time(stack: Stack, proof: Proof, fault: str) -> None:
    host = stack.hosts["redis-1"]
    if fault == "killed":
        stack.redis.kill()
    else:
        host.cut("drop" if fault == "silent" else "reject")
    began = time.monotonic()
    try:
        with pytest.raises((OperationalError, RedisError, OSError)):
            stack.app.send_task("probe.noop", retry=False, ignore_result=True)
        took = time.monotonic() - began
    finally:
        host.heal()
        if fault == "killed":
            stack.redis.start()
    proof(took, fault)
