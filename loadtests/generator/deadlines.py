"""Which tasks are overdue. Most have the same limit: a queue per limit is in order by itself, without a heap."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator

from loadtests.generator.call import Call


class Deadlines:
    """Tasks by deadline. What has ended falls out when its turn comes."""

    def __init__(self) -> None:
        """Watch nothing."""
        self._queues: defaultdict[float, deque[Call]] = defaultdict(deque)

    def add(self, call: Call) -> None:
        """Watch a task; within one limit they come in the order in which they are due, or nearly."""
        self._queues[call.limit].append(call)

    def overdue(self, now: float) -> Iterator[Call]:
        """Yield, once, what had to end before now and did not."""
        for queue in self._queues.values():
            while queue and (queue[0].ended or queue[0].deadline <= now):
                call = queue.popleft()
                if not call.ended:
                    yield call
