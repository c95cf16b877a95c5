"""What a subscribed connection of Redis says, read many messages at a time.

Results are JSON: they hold no line break, so that one `split` finds the frames of a whole buffer.
"""

from __future__ import annotations

from collections.abc import Iterator

import redis

from loadtests.generator.link import END

# Lines of a frame, its kind among them: *3 $7 message $n channel $m payload | *3 $9 subscribe $n channel :count
LINES = {b"message": 7, b"subscribe": 6, b"unsubscribe": 6, b"pong": 5}
SHORTEST = min(LINES.values())
KIND, CHANNEL, PAYLOAD = 2, 4, 6


class Frames:
    """Takes bytes, yields frames."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
        """Yield kind, channel and payload of every frame that is complete; what is left waits for more.

        Raises:
            redis.ResponseError: if Redis refuses a subscription.
            redis.InvalidResponse: if a payload is no line of JSON, or the stream is none of Redis.
        """
        lines = (self._rest + data).split(END)
        at, complete = 0, len(lines) - 1  # the last one has no end yet
        while at < complete:
            if lines[at][:1] == b"-":
                raise redis.ResponseError(lines[at][1:].decode())
            if at + SHORTEST > complete:
                break
            kind = lines[at + KIND]
            length = LINES.get(kind)
            if length is None:
                raise redis.InvalidResponse(f"a subscription brought {lines[at : at + SHORTEST]!r}")
            if at + length > complete:
                break
            payload = b""
            if length > PAYLOAD:
                payload = lines[at + PAYLOAD]
                if len(payload) != int(lines[at + PAYLOAD - 1][1:]):
                    raise redis.InvalidResponse("a result has several lines: only JSON is read")
            yield kind, lines[at + CHANNEL], payload
            at += length
        self._rest = END.join(lines[at:])
