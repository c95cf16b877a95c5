"""Publishes in pipelined batches over one connection.

A batch is what gathered while the one before it was under way: alone a task leaves at once, under load the batches grow
by themselves. Nothing is sent twice: a generator that replays would hide what a producer sees.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress

import redis
from gevent.event import Event

from loadtests.generator.call import Call, Failed, clock
from loadtests.generator.link import END, Link

BATCH = 1000  # messages of one flush
WAITING = 200_000  # messages that may gather before a broker that does not answer: about 300 MB


class Publisher:
    """One connection to the broker. Its errors reach every task that was not acknowledged."""

    def __init__(
        self, connect: Callable[[], Link], patience: float, ended: Callable[[Call, Failed | None, float], None]
    ) -> None:
        """Connect at the first message.

        Args:
            connect: opens a connection.
            patience: seconds that a batch may take.
            ended: is told of each message, with the error unless it is acknowledged, and the time.
        """
        self._connect = connect
        self._patience = patience
        self._flushed = 0.0  # when the batch that is under way was sent; 0: none is
        self._ended = ended
        self._waiting: deque[Call] = deque()
        self._wake = Event()
        self._link: Link | None = None

    def add(self, call: Call) -> None:
        """Have a message sent. Never waits."""
        if len(self._waiting) >= WAITING:
            self._ended(call, Failed("not sent: the broker takes nothing"), clock())
            return
        self._waiting.append(call)
        self._wake.set()

    def run(self) -> None:
        """Send what is added, for ever."""
        while True:
            self._wake.wait()
            take = self._waiting.popleft
            batch = [take() for _ in range(min(BATCH, len(self._waiting)))]
            if not self._waiting:
                self._wake.clear()
            self._flush(batch)

    def _flush(self, batch: list[Call]) -> None:
        open_ = deque(batch)
        try:
            self._link = self._link or self._connect()
            # what was given up while it waited has counted as lost: it must not run all the same
            open_ = deque(call for call in batch if not call.ended)
            now = self._flushed = clock()
            parts = []
            for call in open_:
                call.sent = now
                key, message = call.key, call.message
                parts.append(
                    b"*3\r\n$5\r\nLPUSH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(key), key, len(message), message)
                )
            self._link.send(b"".join(parts))
            rest = b""
            while open_:
                *replies, rest = (rest + self._link.receive()).split(END)
                now = clock()
                for reply in replies:
                    refused = Failed(f"refused: {reply[1:].split()[0].decode()}") if reply[:1] == b"-" else None
                    self._ended(open_.popleft(), refused, now)
        except redis.RedisError as error:
            self.close()
            now = clock()
            for call in open_:
                self._ended(call, Failed(f"not acknowledged: {type(error).__name__}"), now)
        finally:
            self._flushed = 0.0

    def watch(self, now: float) -> None:
        """Give up on a broker that is silent for too long. To be called again and again."""
        if self._flushed and now - self._flushed > self._patience and self._link is not None:
            self._link.close()

    def close(self) -> None:
        """Close the connection; the next message opens one."""
        if self._link is not None:
            with suppress(redis.RedisError, OSError):
                self._link.close()
            self._link = None
