"""Awaits results over one subscription per process.

Celery publishes a result under its key. The channels are subscribed before the tasks exist: the generator chooses the
ids, so a stock of them waits with its subscriptions confirmed. No result can come too early, and no task waits for a
subscription. A producer's rights are enough (SUBSCRIBE on celery-task-meta-*), and a process hears of its own tasks only.

Where a subscription is in doubt (the stock was empty, the connection broke) it is made, and then the result is asked for.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import gevent
import redis
from gevent.event import Event

from loadtests.generator.call import Call, clock
from loadtests.generator.frames import Frames
from loadtests.generator.link import Link, command

STOCK = 1024  # ids that wait for tasks
CHANNELS = 256  # of one SUBSCRIBE, UNSUBSCRIBE or MGET: what keeps Redis from others for well under a millisecond
SILENCE = 5.0  # seconds without a message until Redis is asked whether it is there
PAUSES = (0.05, 1.0)  # shortest and longest time between two attempts to connect, in seconds
# Half of all that comes where STARTED is tracked; it says nothing but that (celery 5.7, backends/base.py, _get_result_meta)
STARTED = b'{"status": "STARTED",'
READY = frozenset(("SUCCESS", "FAILURE", "REVOKED"))


class Results:
    """One subscription. `ended` is told of every result, once."""

    def __init__(
        self,
        connect: Callable[[], Link],
        ask: Callable[[list[bytes]], list[bytes | None]],
        prefix: bytes,
        ended: Callable[[Call, dict[str, Any], float, int], None],
    ) -> None:
        """Connect in `run`.

        Args:
            connect: opens a connection.
            ask: returns the stored results of keys, over a connection of its own.
            prefix: what stands before an id in a result's key.
            ended: is told of each result: its task, itself, the time it came, and its size in bytes.
        """
        self._connect, self._ask, self._ended = connect, ask, ended
        # ids look like those of Celery: one random part per process, and a number
        self._ids = f"{random.SystemRandom().getrandbits(128):032x}"
        self._ids = f"{self._ids[:8]}-{self._ids[8:12]}-4{self._ids[13:16]}-a{self._ids[17:20]}-"
        self._prefix = prefix
        self._number = 0
        self._stock: list[bytes] = []
        self._ordered: set[bytes] = set()  # channels of the stock whose subscription is under way
        self._outgoing: list[bytes] = []
        self._wake = Event()
        self._done: list[bytes] = []
        self._link: Link | None = None
        self.outstanding: dict[bytes, Call] = {}
        self.stocked = Event()  # ids are there: the first task needs no way of its own
        self._heard = 0.0  # when Redis said something
        self._asked = False  # whether it was asked for a sign of life since

    def new_id(self) -> str:
        """Return an id that nobody awaits."""
        self._number += 1
        return f"{self._ids}{self._number:012x}"

    def take(self) -> tuple[str, bytes]:
        """Return an id for a task, and the channel of its result. Never waits."""
        if len(self._stock) + len(self._ordered) <= STOCK - CHANNELS:
            self._order()
        if self._stock:
            channel = self._stock.pop()
        else:
            channel = self._prefix + self.new_id().encode()
            self._say(b"SUBSCRIBE", (channel,))
        return channel[len(self._prefix) :].decode(), channel

    def forget(self, call: Call) -> None:
        """Await a result no longer."""
        if self.outstanding.pop(call.channel, None) is not None:
            self._leave(call.channel)

    def run(self) -> None:
        """Listen, for ever; connect anew when the connection breaks."""
        pause = PAUSES[0]
        while True:
            try:
                self._open()
                pause = PAUSES[0]
                self._listen()
            except redis.RedisError:
                self._close()
                gevent.sleep(pause)
                pause = min(2 * pause, PAUSES[1])

    def write(self) -> None:
        """Send what the others want sent, for ever: nobody else may wait for the socket."""
        while True:
            self._wake.wait()
            self._wake.clear()
            link, data, self._outgoing = self._link, b"".join(self._outgoing), []
            if link is not None:
                try:
                    link.send(data)
                except redis.RedisError:
                    link.close()  # the reader finds out, and connects anew

    def _open(self) -> None:
        link = self._connect()
        # Whatever was under way is lost: all that is awaited is subscribed again, and asked for on its confirmation.
        self._stock, self._ordered, self._outgoing, self._done = [], set(), [], []
        self._link, self._heard, self._asked = link, clock(), False
        awaited = list(self.outstanding)
        for at in range(0, len(awaited), CHANNELS):
            self._say(b"SUBSCRIBE", awaited[at : at + CHANNELS])
        self._order(STOCK)

    def _close(self) -> None:
        link, self._link = self._link, None
        self._stock, self._ordered = [], set()
        if link is not None:
            with suppress(redis.RedisError, OSError):
                link.close()

    def _order(self, count: int = CHANNELS) -> None:
        if self._link is not None:
            channels = [self._prefix + self.new_id().encode() for _ in range(count)]
            self._ordered.update(channels)
            self._say(b"SUBSCRIBE", channels)

    def _say(self, word: bytes, channels: Iterable[bytes]) -> None:
        self._outgoing.append(command(word, *channels))
        self._wake.set()

    def _leave(self, channel: bytes) -> None:
        self._done.append(channel)
        if len(self._done) >= CHANNELS:
            self._say(b"UNSUBSCRIBE", self._done)
            self._done = []

    def _listen(self) -> None:
        link, frames = self._link, Frames()
        while link is not None:
            data = link.receive()
            now = self._heard = clock()
            self._asked = False
            doubtful = []
            for kind, channel, payload in frames.feed(data):
                if kind == b"message":
                    self._take_in(channel, payload, now)
                elif kind == b"subscribe":
                    if channel in self._ordered:
                        self._ordered.remove(channel)
                        self._stock.append(channel)
                        self.stocked.set()
                    elif channel in self.outstanding:
                        doubtful.append(channel)
            for at in range(0, len(doubtful), CHANNELS):
                keys = doubtful[at : at + CHANNELS]
                for channel, stored in zip(keys, self._ask(keys), strict=True):
                    if stored is not None:
                        self._take_in(channel, stored, clock())

    def watch(self, now: float) -> None:
        """Ask a silent Redis for a sign of life, and give it up after another silence. To be called again and again."""
        if self._link is None or now - self._heard < SILENCE:
            return
        if self._asked:
            self._link.close()
        else:
            self._asked, self._heard = True, now
            self._outgoing.append(command(b"PING"))
            self._wake.set()

    def _take_in(self, channel: bytes, payload: bytes, now: float) -> None:
        call = self.outstanding.get(channel)
        if call is None:
            return
        if payload.startswith(STARTED):
            call.started = call.started or now
            call.restarted = now
            return
        meta = json.loads(payload.decode())  # of bytes it would guess the encoding: 1 µs
        if meta["status"] in READY:
            del self.outstanding[channel]
            self._leave(channel)
            self._ended(call, meta, now, len(payload))
