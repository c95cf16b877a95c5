"""celery-redis-plus' transport, whose channels close although their connection is lost, and then say that they are closed.

A task that outlives the connection it came over is acknowledged over a channel that is closed. celery-redis-plus 0.4 then asks
for a server that the channel no longer knows, and the AttributeError ends the worker. A connection error is logged instead
("Couldn't ack"), and the message comes back by the visibility timeout (docs/decisions/024-channels-close-after-a-loss.md).
"""

from __future__ import annotations

from typing import Any

from celery_redis_plus import transport
from kombu.transport import TRANSPORT_ALIASES
from redis import ConnectionError as Lost


class Channel(transport.Channel):  # type: ignore[misc]
    """Refuses what needs a connection once it has none."""

    connection: Any
    connection_errors: Any
    auto_delete_queues: set[str]

    def close(self) -> None:
        """Close, whatever the connection is like."""
        try:
            super().close()
        except self.connection_errors:
            self.auto_delete_queues.clear()  # Redis cannot be asked to; they expire
            super().close()

    def _get_pool(self, asynchronous: bool = False) -> Any:
        if self.connection is None:
            raise Lost("the connection over which the message came is closed")
        return super()._get_pool(asynchronous)


class Transport(transport.Transport):  # type: ignore[misc]
    """As `valkey`."""

    Channel = Channel


TRANSPORT_ALIASES.update(valkey=f"{__name__}:Transport", valkeys=f"{__name__}:Transport")
