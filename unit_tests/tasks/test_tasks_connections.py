"""What a probe tells about broker and result backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery

from tasks.probe.beat import HEARTBEAT_ID

Run = Callable[..., Any]


def test_heartbeat_is_read_with_nothing_but_its_fixed_id(app: Celery, run: Run) -> None:
    beat = run("heartbeat")
    stored = app.AsyncResult("probe-heartbeat")
    assert (stored.state, stored.info) == ("HEARTBEAT", beat)


def test_the_last_heartbeat_replaces_the_one_before(app: Celery, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for now in (1.0, 2.0):
        monkeypatch.setattr("tasks.probe.beat.time.time", lambda now=now: now)
        run("heartbeat")
    assert app.AsyncResult(HEARTBEAT_ID).info["at"] == 2.0


def test_a_stored_success_would_not_be_replaced(app: Celery) -> None:
    """The reason for a state of its own: if this fails, Celery has changed."""
    app.backend.store_result("fixed", 1, "SUCCESS")
    app.backend.store_result("fixed", 2, "SUCCESS")
    assert app.AsyncResult("fixed").result == 1


def test_redis_ping_times_the_ping_apart_from_the_connection(
    app: Celery, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection()
    clock = iter([1.0, 1.020, 1.0205])
    monkeypatch.setattr(app, "connection_for_write", lambda: connection)
    monkeypatch.setattr("tasks.probe.broker.time.perf_counter", lambda: next(clock))
    answer = app.tasks["probe.redis_ping"].run()
    assert answer["connect_ms"] == pytest.approx(20)
    assert answer["latency_ms"] == pytest.approx(0.5)
    assert (answer["transport"], connection.pings, connection.closed) == ("redis", 1, True)


def test_redis_ping_refuses_a_broker_that_is_not_redis(run: Run) -> None:
    with pytest.raises(RuntimeError, match="needs a Redis broker and this worker's is 'memory'"):
        run("redis_ping")


class Connection:
    """Stands for a kombu connection over Redis, its transport, channel and client."""

    driver_type = "redis"

    def __init__(self) -> None:
        """Start with no PING sent, open."""
        self.pings = 0
        self.closed = False
        self.transport = self.default_channel = self.client = self

    def ping(self) -> bool:
        """Count a PING."""
        self.pings += 1
        return True

    def __enter__(self) -> Connection:
        """Open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.closed = True
