"""Running independent questions at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Found = TypeVar("Found")


class Budget:
    """The time that a run may take, so that one dead thing after the other cannot add up."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the budget of so many seconds."""
        self._clock = clock
        self.end = clock() + seconds

    def allow(self, seconds: float) -> float:
        """Return how long a wait of so many seconds may really take."""
        return max(0.0, min(seconds, self.end - self._clock()))


def together(functions: Iterable[Callable[[], object]]) -> None:
    """Run functions in threads and wait for all.

    The threads are daemons: after Ctrl-C the process ends at once.

    Raises:
        BaseException: the first that a function raised, after all have ended.
    """
    raised: list[BaseException] = []

    def guarded(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:  # handed to the caller
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(function,), daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


class Later(Generic[Found]):
    """What a question that is still being asked will find: whoever looks waits for it."""

    def __init__(self, ask: Callable[[], Iterable[Found]]) -> None:
        """Start to ask."""
        self._found: list[Found] = []
        self._raised: list[BaseException] = []
        self._ask = ask
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found.extend(self._ask())
        except BaseException as error:  # handed to whoever looks
            self._raised.append(error)

    def __iter__(self) -> Iterator[Found]:
        """Wait, and yield what was found."""
        self._thread.join()
        if self._raised:
            raise self._raised[0]
        yield from self._found


class Lazily(Generic[Found]):
    """What a function finds whenever somebody looks."""

    def __init__(self, ask: Callable[[], Iterable[Found]]) -> None:
        """Remember what to ask."""
        self._ask = ask

    def __iter__(self) -> Iterator[Found]:
        """Ask, and yield what is found."""
        yield from self._ask()


def until(condition: Callable[[], bool], seconds: float, *, pause: float = 0.05) -> bool:
    """Wait for a condition; return whether it came within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(pause)
    return True
