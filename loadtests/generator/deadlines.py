"""Which tasks are overdue."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count

from loadtests.generator.call import Call


class Deadlines:
    """Tasks by deadline. What has ended falls out when its turn comes."""

    def __init__(self) -> None:
        """Watch nothing."""
        self._heap: list[tuple[float, int, Call]] = []
        self._number = count()  # of equal deadlines the first to come is the first to go; calls have no order

    def add(self, call: Call) -> None:
        """Watch a task."""
        heappush(self._heap, (call.deadline, next(self._number), call))

    def overdue(self, now: float) -> Iterator[Call]:
        """Yield, once, what had to end before now and did not."""
        heap = self._heap
        while heap and (heap[0][2].ended or heap[0][0] <= now):
            _, _, call = heappop(heap)
            if not call.ended:
                yield call
