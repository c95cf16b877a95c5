"""The way from a worker's process to its broker."""

from __future__ import annotations

import time
from typing import Any

from tasks.probe.declare import BoundTask, probe


@probe("redis_ping", bind=True)
def redis_ping(self: BoundTask) -> dict[str, Any]:
    """PING the broker over a fresh connection of the app: its URL, user, TLS and transport options.

    A fresh one, because a pooled connection would answer for the past and would stay open.

    Returns:
        latency_ms: of the PING alone.
        connect_ms: of everything before it: TCP, TLS, AUTH, and the PING kombu sends when a channel opens.
        transport: kombu's name of the transport's driver, "redis".

    Raises:
        RuntimeError: if the broker is not Redis.
        kombu.exceptions.OperationalError: if it cannot be reached or refuses the login.
    """
    started = time.perf_counter()
    with self.app.connection_for_write() as connection:
        transport = connection.transport.driver_type
        client: Any = getattr(connection.default_channel, "client", None)
        if not hasattr(client, "ping"):
            raise RuntimeError(
                f"probe.redis_ping needs a Redis broker and this worker's is {transport!r}: check its URL."
            )
        connected = time.perf_counter()
        client.ping()
        answered = time.perf_counter()
    return {
        "latency_ms": (answered - connected) * 1000,
        "connect_ms": (connected - started) * 1000,
        "transport": transport,
    }
