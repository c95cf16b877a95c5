"""The table shows every row whole, the hints what to do, and the last line the sum."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from settings.loader import KNOWN
from unit_tests.verify.conftest import CHECK
from verify.catalogue import PROMISES
from verify.model import GROUPS, Hint, Outcome, Promise, Row, Status, broken, kept, unchecked
from verify.progress import Telling
from verify.report import MANY, SENTENCE, folded, ordered, summary, table, tell

HINT = Hint("0 was found, and 64mb is due", "who used CONFIG SET", "make deploy ENV=unit")
LONG = Row(CHECK, "a-worker-with-a-rather-long-name-1@production-host-7", unchecked("a reason " * 20))
ROWS = [
    Row(Promise("queues.canary", "a task runs and its result comes back"), "fast", kept("6 ms, 0 waiting")),
    Row(CHECK, "broker@web1", broken("silent", HINT)),
    Row(
        Promise("workers.alive", "answers over remote control"),
        "fast-1@web1",
        Outcome(Status.BLOCKED),
        blocked_by="redis.answers broker@web1",
    ),
]


def test_rows_come_in_the_order_of_the_catalogue() -> None:
    assert [row.promise.group for row in ordered(ROWS)] == ["redis", "workers", "queues"]


def test_last_line_counts() -> None:
    assert summary(ROWS) == "1 promise kept, 1 failed, 1 blocked"
    assert summary([*ROWS, LONG, ROWS[0]]) == "2 promises kept, 1 failed, 1 blocked, 1 skipped"


def test_piped_output_is_aligned_and_unbroken() -> None:
    stream = io.StringIO()
    tell([*ROWS, LONG], 3.24, stream)
    lines = stream.getvalue().splitlines()
    rows = [line for line in lines if line.startswith(tuple(status.value for status in Status))]
    assert len(rows) == 4
    assert len({row.find(sentence) for row in rows for sentence in ("answers", "a task") if sentence in row}) == 1
    assert any(LONG.outcome.reason.strip() in row for row in rows)
    assert not any(line != line.rstrip() for line in lines)
    assert lines[-1] == "1 promise kept, 1 failed, 1 blocked, 1 skipped in 3.2 s"
    assert "  found:   0 was found, and 64mb is due" in lines
    assert "  look at: who used CONFIG SET" in lines
    assert "  type:    make deploy ENV=unit" in lines


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_terminal_cuts_nothing_off(width: int) -> None:
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(table([*ROWS, LONG], width=width))
    shown = "".join(captured.get().split())
    for row in (*ROWS, LONG):
        words = f"{row.subject}{row.promise.sentence}{row.note}".split()
        assert sum(len(word) for word in words) <= len(shown)
    assert "…" not in shown
    assert all(len(line.rstrip()) <= width for line in captured.get().splitlines())


def test_hundred_workers_of_one_kind_are_one_line_and_the_broken_one_another() -> None:
    many = [Row(CHECK, f"w{number}", kept("ok")) for number in range(100)]
    lines = folded([*many, Row(CHECK, "w100", broken("silent", HINT))])
    assert [(row.status, subject) for row, subject in lines] == [
        (Status.PASSED, "w0 and 99 more"),
        (Status.FAILED, "w100"),
    ]
    assert len(folded(many[:MANY])) == MANY


def test_progress_is_a_line_per_group_where_it_is_piped() -> None:
    stream = io.StringIO()
    with Telling(0.0, stream) as telling:
        for row in ROWS:
            telling.row(row)
        telling.finished("redis")
        telling.finished("beat")
    assert stream.getvalue().startswith("redis: 0 promises kept, 1 failed (")
    assert stream.getvalue().count("\n") == 1


def test_catalogue_is_fit_for_documents() -> None:
    assert len({promise.id for promise in PROMISES}) == len(PROMISES)
    for promise in PROMISES:
        assert promise.group in GROUPS
        assert promise.figure
        assert len(promise.sentence) <= SENTENCE, promise.sentence
        for variable in promise.settings:
            assert variable in KNOWN or variable in ("*", "redis_*", "celery_*"), variable
