"""A connection to Redis whose bytes are ours.

redis-py connects: login, TLS, Sentinel. After that its parser and its packing cost more per task than all the rest of
the generator (12-16 µs per pipelined LPUSH, 10-15 µs per published message), so the socket is taken from it, as kombu
does for its event loop.
"""

from __future__ import annotations

import socket
from typing import Any

import redis
from redis.sentinel import Sentinel

from loadtests.generator.target import Target
from verify.clients import options

CHUNK = 1 << 18  # bytes that are read at once
END = b"\r\n"


def client(target: Target, url: str) -> redis.Redis:
    """Return a client of redis-py for a URL of the target; nothing is sent yet."""
    shared = options()
    if not url.startswith("sentinel://"):
        direct: redis.Redis = redis.Redis.from_url(url, **shared)
        return direct
    # kombu's own form: one URL per Sentinel, each with the login of Redis
    parse: Any = redis.connection.parse_url
    parts = [parse(one.replace("sentinel://", "redis://", 1)) for one in url.split(";")]
    login = {key: parts[0][key] for key in ("username", "password") if parts[0].get(key)}
    tls = {"ssl": True, **target.sentinel["tls"]} if target.sentinel.get("tls") else {}
    everything: dict[str, Any] = {**shared, **login, **tls}
    places = [(one["host"], one["port"]) for one in parts]
    asked: Any = Sentinel(places, sentinel_kwargs=everything)  # type: ignore[no-untyped-call]
    master: redis.Redis = asked.master_for(target.sentinel["master_name"], db=parts[0].get("db", 0), **everything)
    return master


def command(*words: bytes) -> bytes:
    """Return a command as it goes over the wire."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Link:
    """One open connection. Errors are redis-py's: `redis.ConnectionError` and its kin."""

    def __init__(self, source: redis.Redis) -> None:
        """Connect.

        Raises:
            redis.RedisError: if that fails, or the login is refused.
        """
        pool: Any = source.connection_pool
        self._connection = pool.make_connection()
        self._connection.connect()
        self._socket: socket.socket = self._connection._sock
        # Patience is the caller's: a timer for every read would cost gevent more than the read.
        self._socket.settimeout(None)

    def send(self, data: bytes) -> None:
        """Send all of it."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise redis.ConnectionError(f"sending failed: {error}") from error

    def receive(self) -> bytes:
        """Return the next bytes; waits for them, until somebody closes the connection.

        Raises:
            redis.ConnectionError: if the server closed it, or we did.
        """
        try:
            data = self._socket.recv(CHUNK)
        except OSError as error:
            raise redis.ConnectionError(f"receiving failed: {error}") from error
        if not data:
            raise redis.ConnectionError("Redis closed the connection")
        return data

    def close(self) -> None:
        """Close it; a greenlet that waits for it gets an error."""
        self._connection.disconnect()
