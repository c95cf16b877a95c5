"""How fast a full queue is drained: the throughput of a deployment, without a generator that shares its cores."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from celery.states import READY_STATES
from kombu.utils.uuid import uuid

from engine.errors import NotPossible
from engine.waiting import await_truth
from loadtests.generator.call import RESULT
from loadtests.generator.link import client
from loadtests.generator.target import Target
from loadtests.generator.wire import Wire
from settings.model.load import LoadProfile

CHUNK = 500  # messages per command
TAIL = 50  # results that are looked for until all are there: those of the messages that are last in the queue
# Begin and end are cut off: until the last message lies in the queue, and from when the first slot idles.
MIDDLE = (0.1, 0.9)
WARM_UP = 100  # tasks that are not measured
LEAST = 50  # tasks of a measurement
PATIENCE = 6.0  # times as long as expected
ENTRY = 40  # bytes that a key with an expiry takes in the table of expiries, which MEMORY USAGE does not count


@dataclass(frozen=True)
class Drain:
    """A full queue that was drained."""

    tasks: int
    rate: float  # tasks per second
    message: float  # bytes that a waiting message takes in Redis
    result: float  # bytes that a kept result takes


class Drainer:
    """Fills the queues of a target with the mix of a profile, and times how they are emptied."""

    def __init__(self, target: Target, profile: LoadProfile, admin: Target, seed: int) -> None:
        """Connect.

        Args:
            target: what is measured.
            profile: whose mix is sent.
            admin: the same target for a user that may ask Redis for its memory.
            seed: of the order of the mix.
        """
        self._target, self._profile = target, profile
        self._broker, self._results = client(target, target.broker), client(target, target.results)
        self._queues, self._kept = client(admin, admin.broker), client(admin, admin.results)
        self._wire = Wire(target)
        self._draw = random.Random(seed)  # noqa: S311 - an order, no secret

    def measure(self, seconds: float) -> Drain:
        """Time a queue that lasts about so long, after a short one that warms up and tells how many tasks that is.

        Raises:
            NotPossible: if tasks fail, or do not end.
        """
        warm = self.drain(WARM_UP, seconds=60.0)
        return self.drain(max(LEAST, round(warm.rate * seconds)), seconds)

    def drain(self, count: int, seconds: float) -> Drain:
        """Send so many tasks at once; wait until the last has ended, which should take about so long."""
        messages, keys = self._messages(count)
        for queue, waiting in messages.items():
            for begin in range(0, len(waiting), CHUNK):
                self._broker.lpush(queue, *waiting[begin : begin + CHUNK])
        message = self._weight(max(messages, key=lambda queue: len(messages[queue])))
        ends = self._ends(keys, PATIENCE * seconds + 10)
        weights = [self._kept.memory_usage(key) or 0 for key in keys[:TAIL]]
        for begin in range(0, len(keys), CHUNK):
            self._results.delete(*keys[begin : begin + CHUNK])
        return Drain(count, throughput(ends), message, sum(weights) / len(weights) + ENTRY)

    def _messages(self, count: int) -> tuple[dict[bytes, list[bytes]], list[str]]:
        kinds = self._profile.tasks
        chosen = self._draw.choices(kinds, [kind.share for kind in kinds], k=count)
        messages: defaultdict[bytes, list[bytes]] = defaultdict(list)
        keys = []
        for kind in chosen:
            args = (*(("x" * kind.payload,) if kind.payload else ()), *kind.args)
            said = {"queue": kind.queue, "priority": kind.priority, "expires": kind.expires}
            options = {name: value for name, value in said.items() if value is not None}
            template = self._wire.template(((kind.task, args),), kind.kwargs, **options)
            if not template.kept:
                raise NotPossible(f"results of {kind.task} are ignored, and nothing tells when it ended: keep them.")
            one = uuid()
            messages[template.key].append(template.render([one], uuid(), args, kind.kwargs))
            keys.append(f"{self._target.key_prefix}{RESULT}{one}")
        return messages, keys

    def _weight(self, queue: bytes) -> float:
        """Return the bytes of a message in a queue; 0 where none waits any more."""
        # one behind the other, as workers take from it meanwhile; an admin has no MULTI
        with self._queues.pipeline(transaction=False) as asked:
            asked.llen(queue)
            asked.memory_usage(queue, samples=0)
            length, weight = asked.execute()
        return weight / length if length and weight else 0.0

    def _ends(self, keys: Sequence[str], seconds: float) -> list[float]:
        """Return when tasks ended, by the workers' clock."""
        try:
            await_truth("the end of all tasks", lambda: self._all(keys[-TAIL:]), seconds)
            found = await_truth("the end of all tasks", lambda: self._all(keys), seconds)
        except NotPossible as error:
            raise NotPossible(f"{len(keys)} tasks of {self._profile.name} were sent, and {error}") from None
        fails = {kind.task for kind in self._profile.tasks if kind.fails}
        failed = [one for one in found if one["status"] != "SUCCESS"]
        if failed and not fails:
            kind = (failed[0]["result"] or {}).get("exc_type", failed[0]["status"])
            raise NotPossible(f"{len(failed)} of {len(keys)} tasks of {self._profile.name} failed: {kind}.")
        return [datetime.fromisoformat(one["date_done"]).timestamp() for one in found]

    def _all(self, keys: Sequence[str]) -> list[dict[str, Any]] | None:
        found: list[bytes | None] = []
        for begin in range(0, len(keys), CHUNK):
            found += cast("list[bytes | None]", self._results.mget(keys[begin : begin + CHUNK]))
        told = [json.loads(one) for one in found if one]
        # one that runs may have a result, too: that it has started
        return told if len(told) == len(keys) and all(one["status"] in READY_STATES for one in told) else None

    def close(self) -> None:
        """Disconnect."""
        for one in (self._broker, self._results, self._queues, self._kept):
            one.close()


def throughput(ends: Sequence[float]) -> float:
    """Return tasks per second, out of the times at which tasks ended: of the middle of them."""
    ranked = sorted(ends)
    first, last = (round(share * (len(ranked) - 1)) for share in MIDDLE)
    took = ranked[last] - ranked[first]
    return (last - first) / took if took > 0 else 0.0
