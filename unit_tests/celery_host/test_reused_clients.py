"""A channel keeps one client for its pool, and none for a pool that is no longer its own (decision 023)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as transport


@pytest.fixture
def module(deployed: Callable[[str], Any]) -> Any:
    """The deployed module."""
    return deployed("reused_clients")


@pytest.fixture(params=["Channel", "SentinelChannel"])
def channel(module: Any, request: pytest.FixtureRequest) -> Any:
    """A channel that has not connected: kombu's does when it is made."""
    kind = getattr(module, request.param)
    made = kind.__new__(kind)
    made.Client = redis.Redis
    made._pool, made._async_pool = redis.ConnectionPool(), redis.ConnectionPool()
    return made


def test_one_client_per_pool(channel: Any) -> None:
    with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
        assert first is second
        assert first.connection_pool is channel.pool


def test_a_pool_that_kombu_replaced_gets_a_client_of_its_own(channel: Any) -> None:
    before = channel._create_client()
    channel._pool = redis.ConnectionPool()
    after = channel._create_client()
    assert after is not before
    assert after.connection_pool is channel.pool
    assert channel._create_client() is after


def test_a_client_that_holds_a_connection_is_kombus_own(channel: Any) -> None:
    assert channel.client is not channel._create_client()
    assert channel.client.connection_pool is channel.async_pool


def test_channels_share_no_client(module: Any, channel: Any) -> None:
    kind: Any = type(channel)
    other = kind.__new__(kind)
    other.Client, other._pool = redis.Redis, channel.pool
    assert other._create_client() is not channel._create_client()


def test_kombu_still_builds_a_client_per_operation() -> None:
    # if it stops, the module may go
    made = transport.Channel.__new__(transport.Channel)
    made.Client, made._pool = redis.Redis, redis.ConnectionPool()
    with made.conn_or_acquire() as first, made.conn_or_acquire() as second:
        assert first is not second


@pytest.mark.parametrize(
    ("scheme", "kind"), [("redis", "Transport"), ("rediss", "Transport"), ("sentinel", "SentinelTransport")]
)
def test_urls_lead_to_it(module: Any, scheme: str, kind: str) -> None:
    assert TRANSPORT_ALIASES[scheme] == f"{module.__name__}:{kind}"
