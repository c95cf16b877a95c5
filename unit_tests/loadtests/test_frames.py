"""Promise: however a stream is cut, every frame of it comes out once, and nothing else is taken for one."""

from __future__ import annotations

from itertools import pairwise

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from loadtests.generator.frames import Frames

FRAMES = [
    (b"subscribe", b"one", b""),
    (b"message", b"one", b'{"status": "SUCCESS"}'),
    (b"pong", b"", b""),
    (b"message", b"two", b""),
    (b"unsubscribe", b"one", b""),
]


def bulk(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)


def as_redis_says(frame: tuple[bytes, bytes, bytes]) -> bytes:
    kind, channel, payload = frame
    if kind == b"pong":
        return b"*2\r\n" + bulk(kind) + bulk(b"")
    last = bulk(payload) if kind == b"message" else b":1\r\n"
    return b"*3\r\n" + bulk(kind) + bulk(channel) + last


@given(frames=st.lists(st.sampled_from(FRAMES)), cuts=st.lists(st.integers(0, 300)))
def test_frames_come_out_however_the_stream_is_cut(frames: list[tuple[bytes, bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(map(as_redis_says, frames))
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = Frames()
    read = [frame for begin, end in pairwise(edges) for frame in reader.feed(stream[begin:end])]
    assert read == frames


def test_a_refused_subscription_is_an_error() -> None:
    with pytest.raises(redis.ResponseError, match="NOPERM"):
        list(Frames().feed(b"-NOPERM this user has no permissions\r\n"))


@pytest.mark.parametrize(
    "stream",
    [
        as_redis_says((b"message", b"one", b"two\r\nlines")),
        b"*3\r\n$8\r\npmessage\r\n$3\r\none\r\n$1\r\nx\r\n",
    ],
)
def test_what_cannot_be_read_is_refused_not_guessed(stream: bytes) -> None:
    with pytest.raises(redis.InvalidResponse):
        list(Frames().feed(stream))
