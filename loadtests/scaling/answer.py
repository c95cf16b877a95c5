"""How many workers a rate needs, and how much memory Redis: out of a law, of latencies and of bytes per task."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.errors import NotPossible
from loadtests.scaling.law import Law
from settings.fleet import Fleet, HostSettings
from settings.rules.memory import with_fork

MIB = 1024**2
FARTHEST = 2  # times the largest size that was measured: what lies beyond is a guess


@dataclass(frozen=True)
class Latency:
    """How long tasks took at a share of the throughput."""

    workers: int
    share: float  # of what so many workers carry
    rate: float  # tasks per second
    p50: float  # seconds, from when they were due
    p95: float


@dataclass(frozen=True)
class Memory:
    """What an instance of Redis needs."""

    instance: str
    waiting: int  # bytes of messages
    kept: int  # bytes of results
    base: int  # bytes of an empty one with its clients
    maxmemory: int  # bytes, of whole MiB
    host: int  # bytes with the room that a fork needs: settings/rules/memory.py
    said: int  # bytes: maxmemory of the settings; 0 is no limit

    @property
    def enough(self) -> bool:
        """Whether the settings say so much."""
        return not self.said or self.said >= self.maxmemory


def bearable(latencies: Sequence[Latency], bound: float) -> float | None:
    """Return up to which share of their throughput workers keep a p95; None where they do at no measured share.

    Between two measurements it is interpolated, and beyond the last nothing is known. The size that bears least counts.
    """
    by_size: defaultdict[int, list[Latency]] = defaultdict(list)
    for one in latencies:
        by_size[one.workers].append(one)
    shares = [_bearable(sorted(of, key=lambda one: one.share), bound) for of in by_size.values()]
    return None if None in shares else min((share for share in shares if share is not None), default=None)


def _bearable(latencies: Sequence[Latency], bound: float) -> float | None:
    if latencies[0].p95 > bound:
        return None
    for below, above in pairwise(latencies):
        if above.p95 > bound:
            part = (bound - below.p95) / (above.p95 - below.p95)
            return below.share + part * (above.share - below.share)
    return latencies[-1].share


def workers_for(law: Law, share: float, rate: float, largest: int) -> int:
    """Return the fewest workers that carry a rate with a share of their throughput.

    Args:
        law: of the throughput.
        share: which a p95 allows.
        rate: tasks per second.
        largest: number of workers that was measured.

    Raises:
        NotPossible: if no number does, or only one that nothing is known about.
    """
    count = law.workers_for(rate / share)
    if count is None:
        raise NotPossible(
            f"no number of workers carries {rate:g} tasks/s here: {law.most:.0f} are the most, of which the p95 "
            f"allows {share:.0%}; ask for less, or give them more cores."
        )
    if count > FARTHEST * largest:
        raise NotPossible(
            f"{rate:g} tasks/s would need about {count} workers, and {largest} were the most that were measured: "
            f"measure larger sizes, up to {math.ceil(count / FARTHEST)} at least."
        )
    return count


def memory(
    fleet: Fleet, host: HostSettings, *, rate: float, outage: float, message: float, result: float, base: int
) -> list[Memory]:
    """Return what broker and results need; one entry where they are the same instance.

    Args:
        fleet: all hosts.
        host: whose settings of Celery hold.
        rate: tasks per second.
        outage: seconds of arrivals that wait.
        message: bytes of one that waits.
        result: bytes of a result, which is kept for celery_result_expires.
        base: bytes of an empty Redis.
    """
    celery = host.celery
    waiting = {celery.broker_instance: math.ceil(rate * outage * message)}
    kept = {celery.result_instance: math.ceil(rate * celery.result_expires * result)}
    found = []
    for name in dict.fromkeys((*waiting, *kept)):
        known = fleet.find_instance(name)
        if known is None:  # a managed Redis: its size is not ours
            continue
        bytes_of = waiting.get(name, 0), kept.get(name, 0)
        need = math.ceil((sum(bytes_of) + base) / MIB) * MIB
        found.append(Memory(name, *bytes_of, base, need, with_fork(known[1], need), known[1].maxmemory))
    return found
