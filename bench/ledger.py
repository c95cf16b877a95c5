"""What a test sends to a stack, and what became of it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from celery.canvas import Signature

from bench.stack import Stack
from drill.checker import judge
from drill.history import Event, History, Kind
from drill.sender import Sender
from drill.verdict import Verdict
from engine.errors import NotPossible
from engine.waiting import await_truth

TASK = "probe.record"
OURS = ("seconds", "spin", "failures")  # arguments of the task
DRAIN = 30.0  # seconds


class Ledger:
    """Submits tasks of `probe.record` and judges what the workers have written down."""

    def __init__(self, stack: Stack) -> None:
        """Nothing is sent yet."""
        self.stack = stack
        self.prefix = uuid4().hex[:8]
        self.history = History()
        self._number = 0

    def publish(self, entry: str, **options: Any) -> Any:
        """Send one task; `seconds`, `spin` and `failures` are the task's, all else is Celery's."""
        kwargs: dict[str, Any] = {name: options.pop(name) for name in OURS if name in options}
        options.setdefault("ignore_result", True)
        return self.stack.publish(Signature(TASK, kwargs={"entry": entry, **kwargs}), **options)

    def send(self, count: int = 1, **options: Any) -> list[str]:
        """Submit so many tasks, one after the other, and return their entries, accepted or in doubt."""
        entries = [f"{self.prefix}-{number:06d}" for number in range(self._number, self._number + count)]
        self._number += count
        detail = {"queue": options["queue"]} if "queue" in options else {}
        for entry in entries:
            self.history.append(Kind.SUBMITTED, entry, **detail)
            try:
                self.publish(entry, **options)
            except Exception as error:  # whatever class: the checker only wants to know that it is in doubt
                self.history.append(Kind.DOUBTFUL, entry, error=type(error).__name__)
            else:
                self.history.append(Kind.ACKNOWLEDGED, entry)
        return entries

    @contextlib.contextmanager
    def stream(self, rate: float, **options: Any) -> Iterator[Sender]:
        """Send so many tasks per second while a block runs."""
        self._number += 1
        prefix = f"{self.prefix}-s{self._number}"
        sender = Sender(lambda entry: self.publish(entry, **options), rate, self.history, prefix=prefix, threads=2)
        sender.start()
        try:
            yield sender
        finally:
            sender.stop()

    @contextlib.contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """Note when a fault begins and when it is healed."""
        self._number += 1
        entry = f"{name}-{self._number}"
        self.history.append(Kind.FAULT, entry, name=name)
        yield
        self.history.append(Kind.HEALED, entry)

    # -- what became of it

    def events(self, kind: Kind) -> list[Event]:
        """Return the events of one kind in the order of their time; those of workers say `worker` and `pid`."""
        self._read()
        return [event for event in self.history if event.kind is kind]

    def entries(self, kind: Kind) -> list[str]:
        """Return the entries of one kind of event, in the order of their time, as often as there are such events."""
        return [event.entry for event in self.events(kind)]

    def started(self) -> list[str]:
        """Return the entries that were started, as often as they were."""
        return self.entries(Kind.STARTED)

    def finished(self) -> list[str]:
        """Return the entries that have finished, as often as they did."""
        return self.entries(Kind.FINISHED)

    def await_started(self, count: int = 1, seconds: float = DRAIN) -> None:
        """Wait until so many different entries have started.

        Raises:
            NotPossible: if they do not in time.
        """
        await_truth(f"the start of {count} tasks", lambda: len(set(self.started())) >= count, seconds)

    def drain(self, seconds: float = DRAIN) -> bool:
        """Wait until all that was accepted has finished; return whether it has."""
        accepted = set(self.entries(Kind.ACKNOWLEDGED))
        with contextlib.suppress(NotPossible):
            await_truth("the end of every task", lambda: accepted <= set(self.finished()), seconds)
            return True
        return False

    def judge(
        self, seconds: float = DRAIN, *, late_after: float | None = None, ordered: Collection[str] = ()
    ) -> Verdict:
        """Drain, for so long at most, and judge."""
        self.drain(seconds)
        return judge(self.history, late_after=late_after, ordered=ordered)

    def keep(self, folder: Path) -> None:
        """Write the history for whoever reads a failure."""
        folder.mkdir(parents=True, exist_ok=True)
        self._read()
        self.history.write(folder / "history.jsonl")

    def _read(self) -> None:
        """Take over what the workers have written; of this ledger's own entries only."""
        found = History()
        found.read(*self.stack.histories())
        self.history.merge(event for event in found if event.entry.startswith(self.prefix))
