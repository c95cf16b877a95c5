"""kombu's Redis transports, with one client of redis-py per channel in place of one per operation.

redis-py 8 needs 50 µs to build a client, and kombu 5.7 builds two per task that it consumes (redis-py #3624). A client
holds no connection, only its pool: the pool opens connections anew after a loss and after a fork, as before. The clients
that do hold one (`client`, `subclient`) are built by kombu as before.
"""

from __future__ import annotations

from typing import Any

import closed_channels
from kombu.transport import TRANSPORT_ALIASES


class Reused:
    """Remembers the client of its pool."""

    pool: Any
    _reused: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        create = super()._create_client  # type: ignore[misc]
        if asynchronous:
            return create(asynchronous=True)
        # kombu drops the pool of a channel that lost its connection, and makes another
        if self._reused is None or self._reused.connection_pool is not self.pool:
            self._reused = create()
        return self._reused


class Channel(Reused, closed_channels.Channel):  # type: ignore[misc]
    """Of a server."""


class SentinelChannel(Reused, closed_channels.SentinelChannel):  # type: ignore[misc]
    """Of the master that Sentinels name."""


class Transport(closed_channels.Transport):  # type: ignore[misc]
    """As `redis`."""

    Channel = Channel


class SentinelTransport(closed_channels.SentinelTransport):  # type: ignore[misc]
    """As `sentinel`."""

    Channel = SentinelChannel


TRANSPORT_ALIASES.update(
    redis=f"{__name__}:Transport", rediss=f"{__name__}:Transport", sentinel=f"{__name__}:SentinelTransport"
)
