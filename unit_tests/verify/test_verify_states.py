"""What servers and workers say of themselves is compared with the settings: no service is needed for that."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from settings.fleet import HostSettings
from settings.loader import Loaded
from settings.model.celery import BeatEntry
from settings.model.redis import RedisInstance
from verify.checks import redis_state, worker_limits, worker_state
from verify.checks.beat import overdue
from verify.expected import Application, ExpectedWorker
from verify.inspection import Inspection
from verify.model import Status
from verify.server import Reply, Server, silence
from verify.words import Words

GOOD = {
    "aof_enabled": 1,
    "loading": 0,
    "aof_last_write_status": "ok",
    "aof_last_bgrewrite_status": "ok",
    "maxmemory_policy": "noeviction",
    "evicted_keys": 0,
    "used_memory": 10,
    "maxmemory": 100,
    "rejected_connections": 0,
}


@dataclass
class Host:
    """Where a server or a worker is."""

    settings: HostSettings
    words: Words
    application: Application


@pytest.fixture
def host(loaded: Loaded, words: Words, application: Application) -> Host:
    """The one host of the inventory."""
    return Host(loaded.fleet.hosts["web1"], words, application)


def server(host: Host, options: dict[str, Any], **info: Any) -> Server:
    """Return a server that says this of itself."""
    instance = RedisInstance.model_validate({"name": "broker", **options})
    found = SimpleNamespace(
        info={**GOOD, **info}, host=host.settings, instance=instance, words=host.words, cli=lambda command: command
    )
    return cast("Server", found)


@pytest.mark.parametrize(
    ("ask", "options", "info", "status"),
    [
        (redis_state.durable, {}, {}, Status.PASSED),
        (redis_state.durable, {}, {"aof_enabled": 0}, Status.FAILED),
        (redis_state.durable, {}, {"aof_last_write_status": "err"}, Status.FAILED),
        (redis_state.durable, {}, {"loading": 1}, Status.FAILED),
        (redis_state.durable, {"appendonly": False}, {"aof_enabled": 0}, Status.SKIPPED),
        (redis_state.durable, {"appendonly": False}, {}, Status.FAILED),
        (redis_state.durable, {"save": ["900 1"]}, {"rdb_last_bgsave_status": "err"}, Status.FAILED),
        (redis_state.policy, {}, {}, Status.PASSED),
        (redis_state.policy, {}, {"maxmemory_policy": "allkeys-lru"}, Status.FAILED),
        (redis_state.policy, {}, {"evicted_keys": 3}, Status.FAILED),
        (
            redis_state.policy,
            {"maxmemory_policy": "allkeys-lru"},
            {"maxmemory_policy": "allkeys-lru", "evicted_keys": 3},
            Status.PASSED,
        ),
        (redis_state.memory, {}, {}, Status.PASSED),
        (redis_state.memory, {}, {"used_memory": 81}, Status.FAILED),
        (redis_state.memory, {"maxmemory_policy": "allkeys-lru"}, {"used_memory": 99}, Status.PASSED),
        (redis_state.clients, {}, {}, Status.PASSED),
        (redis_state.clients, {}, {"rejected_connections": 1}, Status.FAILED),
    ],
)
def test_state_of_a_server(host: Host, ask: Any, options: dict[str, Any], info: dict[str, Any], status: Status) -> None:
    outcome = ask(server(host, options, **info))
    assert outcome.status is status
    assert (outcome.hint is not None) == (status is Status.FAILED)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        ("Timeout reading from socket", "does not answer"),
        ("Error 111 connecting: Connection refused.", "nothing listens"),
        ("Redis is loading the dataset in memory", "loading"),
        ("max number of clients reached", "redis_maxclients"),
        ("Protocol error, got H", "no Redis"),
        ("Name or service not known", "Name or service not known"),
    ],
)
def test_silence_is_explained(error: str, meaning: str) -> None:
    assert meaning in silence(Reply(answered=False, admitted=False, seconds=0, error=error))


def worker(application: Application, unit: str) -> ExpectedWorker:
    """Return an expected worker."""
    return next(found for found in application.workers if found.unit == unit)


def said(one: ExpectedWorker, **changes: Any) -> Inspection:
    """Return what a worker says that is as it shall be, but for these changes."""
    implementation = {"prefork": "prefork", "threads": "thread"}[one.pool]
    pool = {
        "implementation": f"celery.concurrency.{implementation}:TaskPool",
        "max-concurrency": one.concurrency,
        "timeouts": [one.soft_time_limit or 0, one.time_limit or 0],
        "max-tasks-per-child": one.max_tasks_per_child or "N/A",
    }
    if one.pool == "prefork":
        pool["processes"] = list(range(one.concurrency))
    stats: dict[str, Any] = {
        "pool": {**pool, **changes.get("pool", {})},
        "prefetch_count": changes.get("prefetch", one.slots * one.told_prefetch),
    }
    if one.autoscale:
        stats["autoscaler"] = changes.get("autoscaler", {"max": one.autoscale[0], "min": one.autoscale[1]})
    config = {**one.config, **changes.get("config", {})}
    return Inspection({one.node: stats}, {one.node: changes.get("queues", list(one.queues))}, {one.node: config})


CASES: list[tuple[Any, str, dict[str, Any], Status]] = [
    (worker_state.queues, "fast-1", {}, Status.PASSED),
    (worker_state.queues, "fast-1", {"queues": ["fast", "slow"]}, Status.FAILED),
    (worker_state.pool, "fast-1", {}, Status.PASSED),
    (worker_state.pool, "io-1", {}, Status.PASSED),
    (worker_state.pool, "slow-1", {}, Status.PASSED),
    (worker_state.pool, "fast-1", {"pool": {"processes": [1, 2, 3]}}, Status.FAILED),
    (worker_state.pool, "fast-1", {"pool": {"implementation": "celery.concurrency.solo:TaskPool"}}, Status.FAILED),
    (worker_state.pool, "slow-1", {"autoscaler": {"max": 9, "min": 1}}, Status.FAILED),
    (worker_state.prefetch, "fast-1", {}, Status.PASSED),
    (worker_state.prefetch, "slow-1", {"prefetch": 2}, Status.PASSED),
    (worker_state.prefetch, "fast-1", {"prefetch": 100}, Status.FAILED),
    (worker_state.prefetch, "fast-1", {"prefetch": 202}, Status.PASSED),  # two wait for their ETA, see Talk
    (worker_state.prefetch, "fast-1", {"prefetch": 203}, Status.FAILED),
    (worker_state.config, "fast-1", {}, Status.PASSED),
    (worker_state.config, "fast-1", {"config": {"result_expires": 1}}, Status.FAILED),
    (worker_state.config, "fast-1", {"config": {"result_expires": "********"}}, Status.PASSED),
    (worker_limits.limits, "fast-1", {}, Status.PASSED),
    (worker_limits.limits, "fast-1", {"pool": {"timeouts": [0, 0]}}, Status.FAILED),
    (worker_limits.limits, "slow-1", {"config": {"task_time_limit": 60}}, Status.FAILED),
    (worker_limits.children, "fast-1", {}, Status.PASSED),
    (worker_limits.children, "fast-1", {"pool": {"max-tasks-per-child": "N/A"}}, Status.FAILED),
]


@pytest.mark.parametrize(("ask", "unit", "changes", "status"), CASES)
def test_state_of_a_worker(host: Host, ask: Any, unit: str, changes: dict[str, Any], status: Status) -> None:
    one = worker(host.application, unit)
    target = SimpleNamespace(words=host.words, ask_nodes=lambda command, nodes: {nodes[0]: ["eta", "eta"]})
    outcome = ask(target, one, said(one, **changes))
    assert outcome.status is status
    assert (outcome.hint is not None) == (status is Status.FAILED)


NOON = datetime.datetime(2026, 11, 22, 12, 0, 0, tzinfo=datetime.UTC).timestamp()


@pytest.mark.parametrize(
    ("plan", "last", "late"),
    [
        ({"every": 5}, NOON - 2, -3),
        ({"every": 5}, NOON - 9, 4),
        ({"cron": "*/10 * * * *"}, NOON - 300, 0),
        ({"cron": "*/10 * * * *"}, NOON - 1, -0),
        ({"cron": "30 * * * *"}, NOON - 1, -1800),
    ],
)
def test_heartbeat_is_late_by(plan: dict[str, Any], last: float, late: float) -> None:
    entry = BeatEntry.model_validate({"name": "heartbeat", "task": "probe.heartbeat", **plan})
    assert overdue(entry, last, NOON) == pytest.approx(late, abs=1.1)
