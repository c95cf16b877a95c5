"""What depends on a broken promise is blocked; a check that fails itself is told; nothing else is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from unit_tests.verify.conftest import CHECK
from verify.board import Board, exit_code, shown
from verify.model import Hint, Outcome, Promise, Row, Status, broken, kept, unchecked

HINT = Hint("found", "look", "do")
OTHER = Promise("queues.canary", "a task runs and its result comes back")


def failed() -> Outcome:
    """Return a broken promise."""
    return broken("figure", HINT)


def test_kept_promise_has_its_duration(board: Board) -> None:
    row = board.judge(CHECK, "a", lambda: kept("1 ms"))
    assert (row.status, row.note, row.duration) == (Status.PASSED, "1 ms", 1.0)


def test_blocked_row_is_not_asked_and_names_what_blocks_it(board: Board) -> None:
    cause = board.judge(CHECK, "a", failed)
    row = board.judge(OTHER, "b", lambda: pytest.fail("it was asked"), needs=[cause])
    assert (row.status, row.note) == (Status.BLOCKED, "blocked by redis.answers a")


def test_chain_of_blocked_rows_names_the_first_cause(board: Board) -> None:
    cause = board.judge(CHECK, "a", failed)
    middle = board.judge(OTHER, "b", kept, needs=[cause])
    assert board.judge(OTHER, "c", kept, needs=[middle]).blocked_by == cause.title


def test_what_needs_a_skipped_row_is_skipped_for_the_same_reason(board: Board) -> None:
    skipped = board.judge(CHECK, "a", lambda: unchecked("no probes"))
    assert board.judge(OTHER, "b", kept, needs=[skipped]).note == "no probes"


def test_exception_of_a_check_is_a_failed_row_with_its_text(board: Board) -> None:
    def ask() -> Outcome:
        raise OSError("no\n route")

    row = board.judge(CHECK, "a", ask)
    assert row.status is Status.FAILED
    assert row.outcome.hint is not None
    assert row.outcome.hint.found == "OSError: no route"


def test_explained_failure_is_blocked(board: Board) -> None:
    cause = board.judge(CHECK, "a", failed)
    assert board.judge(OTHER, "b", failed, explained_by=[cause]).status is Status.BLOCKED
    assert board.judge(OTHER, "b", kept, explained_by=[cause]).status is Status.PASSED


def test_explanation_is_looked_for_after_a_failure_only(board: Board) -> None:
    def explanations() -> Iterator[Row]:
        pytest.fail("it was looked for")
        yield

    assert board.judge(OTHER, "b", kept, explained_by=explanations()).status is Status.PASSED


def test_judge_each_has_a_row_per_finding(board: Board) -> None:
    rows = board.judge_each(CHECK, "all", lambda: [("a", kept()), ("b", failed())])
    assert [(row.subject, row.status) for row in rows] == [("a", Status.PASSED), ("b", Status.FAILED)]


def test_judge_each_keeps_findings_although_a_failure_is_explained(board: Board) -> None:
    """A difference that was found is a difference; only a question that fails itself may be explained."""
    cause = board.judge(CHECK, "a", failed)
    assert board.judge_each(OTHER, "all", lambda: [("b", failed())], explained_by=[cause])[0].status is Status.FAILED

    def ask() -> list[tuple[str, Outcome]]:
        raise OSError

    assert board.judge_each(OTHER, "all", ask, explained_by=[cause])[0].status is Status.BLOCKED


def test_listener_hears_every_row() -> None:
    heard: list[str] = []
    board = Board(lambda row: heard.append(row.subject))
    board.judge(CHECK, "a", kept)
    board.add(Row(OTHER, "b", unchecked("why")))
    assert heard == ["a", "b"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.PASSED, 0),
        (Status.SKIPPED, 0),
        (Status.ACCEPTED, 0),
        (Status.FAILED, 1),
        (Status.BLOCKED, 1),
    ],
)
def test_exit_code(status: Status, code: int) -> None:
    assert exit_code([Row(CHECK, "a", Outcome(Status.PASSED)), Row(CHECK, "b", Outcome(status))]) == code


def test_only_one_group_is_shown_with_what_blocks_it(board: Board) -> None:
    cause = board.judge(CHECK, "a", failed)
    board.judge(CHECK, "b", failed)
    row = board.judge(OTHER, "c", kept, needs=[cause])
    assert shown(board.rows, "queues") == [cause, row]
    assert shown(board.rows, None) == board.rows
