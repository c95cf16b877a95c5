"""Samples come each second, and a run is drained once nothing waits and nothing is held, looked at twice."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest
import redis

from integration_tests.waiting import wait_until
from loadtests.run.broker import Look
from loadtests.run.watch import CLOSELY, Watcher

FULL, HELD, EMPTY = Look({"fast": 3}, 0, 900, 1000), Look({"fast": 0}, 1, 900, 1000), Look({"fast": 0}, 0, 900, 1000)


class Seen:
    """A broker that shows one thing after the other, and the last one for ever: our own interface."""

    def __init__(self, *shown: Look | Exception) -> None:
        self.shown: Iterator[Look | Exception] = itertools.chain(shown, itertools.repeat(shown[-1]))

    def look(self) -> Look:
        what = next(self.shown)
        if isinstance(what, Exception):
            raise what
        return what


def sizes() -> dict[str, int]:
    return {"main-1@a": 5}


def drained(*shown: Look | Exception) -> tuple[Watcher, float]:
    """Watch from the last arrival on until it is drained."""
    watcher = Watcher(Seen(*shown), sizes)
    watcher.last_arrival = began = time.time()
    with watcher:
        assert watcher.drained.wait(10)
    assert watcher.emptied is not None
    return watcher, watcher.emptied - began


def test_it_is_drained_when_nothing_waits_and_nothing_is_held() -> None:
    watcher, after = drained(FULL, FULL, HELD, EMPTY, EMPTY)
    assert 3 * CLOSELY <= after < 3
    assert watcher.maxmemory == 1000


def test_one_look_at_empty_queues_is_not_enough() -> None:
    """A message on its way from the queue to the worker is in neither for a moment."""
    _, after = drained(FULL, EMPTY, HELD, EMPTY, EMPTY)
    assert after >= 3 * CLOSELY


def test_a_broker_that_does_not_answer_is_not_drained() -> None:
    watcher, after = drained(EMPTY, redis.ConnectionError("away"), EMPTY, EMPTY)
    assert after >= 2 * CLOSELY
    assert all(sample.redis_memory for sample in watcher.samples(0))


def test_what_is_empty_before_the_last_arrival_is_not_drained() -> None:
    watcher = Watcher(Seen(EMPTY), sizes)
    with watcher:
        wait_until("two samples", lambda: len(watcher.samples(0)) >= 2, 10)
        assert not watcher.drained.is_set()
        assert watcher.emptied is None
        watcher.last_arrival = time.time()
        assert watcher.drained.wait(5)


def test_samples_have_times_since_the_begin_a_second_apart() -> None:
    watcher = Watcher(Seen(FULL), sizes)
    began = time.time()
    with watcher:
        wait_until("three samples", lambda: len(watcher.samples(0)) >= 3, 10)
    first, second, third, *_ = watcher.samples(began)
    assert 0 <= first.at < 1
    assert [second.at - first.at, third.at - second.at] == pytest.approx([1, 1], abs=0.5)
    assert (first.backlog, first.unacked, first.redis_memory, first.workers) == ({"fast": 3}, 0, 900, {"main-1@a": 5})
