"""kombu's Redis transports, whose channels close although their connection is lost.

A worker's channel waits in BRPOP, and kombu 5.7 reads its answer before it closes the channel. Where the connection is lost,
that raises, the channel stays open, and its transport forgets the server. Whatever was taken and not acknowledged then ends
the worker: closed once more, the channel wants to put it back (docs/decisions/024-channels-close-after-a-loss.md).
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis


class Closing:
    """Closes in a second step where the first one had to wait for what is lost."""

    connection_errors: Any

    def close(self) -> None:
        """Close, whatever the connection is like."""
        close = super().close  # type: ignore[misc]
        try:
            close()
        except self.connection_errors:
            close()  # nothing is waited for now


class Channel(Closing, redis.Channel):  # type: ignore[misc]
    """Of a server."""


class SentinelChannel(Closing, redis.SentinelChannel):  # type: ignore[misc]
    """Of the master that Sentinels name."""


class Transport(redis.Transport):  # type: ignore[misc]
    """As `redis`."""

    Channel = Channel


class SentinelTransport(redis.SentinelTransport):  # type: ignore[misc]
    """As `sentinel`."""

    Channel = SentinelChannel


TRANSPORT_ALIASES.update(
    redis=f"{__name__}:Transport", rediss=f"{__name__}:Transport", sentinel=f"{__name__}:SentinelTransport"
)
