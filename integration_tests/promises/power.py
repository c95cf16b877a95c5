"""Power cuts under load: one stream of tasks, the disk copied at many moments of it, Redis started on every copy."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.disk import Disk
from bench.ledger import Ledger
from bench.stack import Stack
from integration_tests.promises.kept import accepted, await_more, kept, start

RATE = 300  # tasks a second
APART = (10, 90)  # accepted tasks between two cuts: at any moment of the second after which `everysec` writes
CLOSE = (3, 30)  # the same where no clock is in it


@dataclass(frozen=True)
class Cut:
    """The disk as the power went.

    Attributes:
        at: seconds since the epoch.
        copy: what was on the platter.
    """

    at: float
    copy: Path


@dataclass(frozen=True)
class Outcome:
    """What Redis has after a cut.

    Attributes:
        accepted: tasks that it had acknowledged before.
        lost: those of them that are gone.
        window: seconds from the last of them that is there to the cut.
    """

    accepted: int
    lost: int
    window: float


def cut(stack: Stack, disk: Disk) -> Cut:
    """Copy the disk while Redis stands still, as both do when the power goes; then Redis goes on."""
    stack.redis.pause()
    at = time.time()
    copy = disk.freeze()
    stack.redis.resume()
    return Cut(at, copy)


def cuts(stack: Stack, disk: Disk, ledger: Ledger, apart: tuple[int, int] = APART) -> Iterator[Cut]:
    """Cut again and again while a stream of the ledger runs.

    Args:
        stack: whose Redis is on the disk.
        disk: to copy.
        ledger: that streams.
        apart: fewest and most accepted tasks between two cuts.
    """
    chance = random.Random(1)  # noqa: S311 - the same moments in every run, within what the machine does
    await_more(ledger, RATE)  # the first, too, has a second behind it
    while True:
        await_more(ledger, chance.randint(*apart))
        yield cut(stack, disk)


def outcome(stack: Stack, disk: Disk, ledger: Ledger, one: Cut) -> Outcome:
    """Start Redis on what a cut has left."""
    stack.redis.kill()
    disk.cut_power(one.copy)
    start(stack)
    before = accepted(ledger, one.at)
    there = before.keys() & kept(stack)
    newest = max((before[entry] for entry in there), default=min(before.values()))
    return Outcome(len(before), len(before) - len(there), one.at - newest)
