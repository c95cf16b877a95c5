"""Where rows are judged and collected: blocks what depends on a failed row, survives a check that fails itself."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from verify.model import Hint, Outcome, Promise, Row, Status, broken

STOPPED = (Status.FAILED, Status.BLOCKED)


class Board:
    """The rows of a run, in the order in which they were judged. Safe to use from many threads."""

    def __init__(
        self, listener: Callable[[Row], None] = lambda row: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep the rows.

        Args:
            listener: told of each row, from the thread that judged it.
            clock: seconds, for durations.
        """
        self.rows: list[Row] = []
        self._listener = listener
        self._clock = clock
        self._lock = threading.Lock()

    def add(self, row: Row) -> Row:
        """Keep a row that was judged elsewhere."""
        with self._lock:
            self.rows.append(row)
            self._listener(row)
        return row

    def judge(
        self,
        promise: Promise,
        subject: str,
        ask: Callable[[], Outcome],
        *,
        needs: Iterable[Row] = (),
        explained_by: Iterable[Row] = (),
    ) -> Row:
        """Ask for a promise and keep the answer.

        Args:
            promise: what is asked for.
            subject: of whom: instance, worker, queue.
            ask: the question. What it raises is a broken promise, too.
            needs: rows without which the question makes no sense: one that failed blocks this one unasked, one that
                was skipped skips it.
            explained_by: rows whose failure would explain a failure here: it is then blocked, not failed. Looked at
                after a failure only.
        """
        row = _unasked(promise, subject, needs)
        if row:
            return self.add(row)
        started = self._clock()
        try:
            outcome = ask()
        except Exception as error:  # one broken check must not take the other rows with it
            outcome = _unexpected(error)
        duration = self._clock() - started
        row = Row(promise, subject, outcome, duration)
        return self.add(_failed(row, explained_by) if outcome.status is Status.FAILED else row)

    def judge_each(
        self,
        promise: Promise,
        subject: str,
        ask: Callable[[], Iterable[tuple[str, Outcome]]],
        *,
        needs: Iterable[Row] = (),
        explained_by: Iterable[Row] = (),
    ) -> list[Row]:
        """Ask for a promise that has a row per thing that is wrong.

        Args:
            promise: what is asked for.
            subject: of whom, where the question itself fails or is blocked.
            ask: yields a subject and an outcome per row.
            needs: as of `judge`.
            explained_by: rows whose failure would explain that the question itself fails.
        """
        row = _unasked(promise, subject, needs)
        if row:
            return [self.add(row)]
        started = self._clock()
        try:
            found = list(ask())
        except Exception as error:  # as in judge
            return [self.add(_failed(Row(promise, subject, _unexpected(error)), explained_by))]
        duration = (self._clock() - started) / max(1, len(found))
        return [self.add(Row(promise, of, outcome, duration)) for of, outcome in found]


def _unasked(promise: Promise, subject: str, needs: Iterable[Row]) -> Row | None:
    """Return the row of a question that is not asked for want of what it needs."""
    for need in needs:
        if need.status in STOPPED:
            return _blocked(promise, subject, need)
        if need.status is Status.SKIPPED:
            return Row(promise, subject, need.outcome)
    return None


def _failed(row: Row, explained_by: Iterable[Row]) -> Row:
    """Return a failed row, or a blocked one where another failure explains it."""
    culprit = next((other for other in explained_by if other.status in STOPPED), None)
    return _blocked(row.promise, row.subject, culprit) if culprit else row


def _blocked(promise: Promise, subject: str, need: Row) -> Row:
    return Row(promise, subject, Outcome(Status.BLOCKED), blocked_by=need.blocked_by or need.title)


def _unexpected(error: Exception) -> Outcome:
    text = " ".join(str(error).split()) or "no message"
    hint = Hint(
        f"{type(error).__name__}: {text}",
        "whether the rows above explain it",
        "run make verify again; if it stays, report it with its JSON",
    )
    return broken("the question failed", hint)


def counts(rows: Iterable[Row]) -> Counter[Status]:
    """Count the rows by status."""
    return Counter(row.status for row in rows)


def shown(rows: Sequence[Row], only: str | None) -> list[Row]:
    """Return the rows of a group, with the failed ones that block them; all where no group is named."""
    if not only:
        return list(rows)
    chosen = [row for row in rows if row.promise.group == only]
    blockers = {row.blocked_by for row in chosen if row.blocked_by}
    return [row for row in rows if row.promise.group == only or (row.title in blockers and row.status is Status.FAILED)]


def exit_code(rows: Iterable[Row]) -> int:
    """Return 0 if every promise that was asked for is kept, else 1."""
    return int(any(row.status in STOPPED for row in rows))
