"""The ledger holds an entry once, however often its task runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tasks.probe.ledger import write

Run = Callable[..., Any]


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the worker's ledger."""
    path = tmp_path / "ledger.db"
    monkeypatch.setenv("PROBE_LEDGER", str(path))
    return path


def rows(path: Path, columns: str) -> list[tuple[Any, ...]]:
    """Return columns of all entries, by id."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute(f"SELECT {columns} FROM writes ORDER BY entry_id").fetchall()


def test_a_repeated_write_leaves_one_entry_and_counts_itself(run: Run, ledger: Path) -> None:
    assert run("ledger", "a", {"x": 1}) == {"entry_id": "a", "attempts": 1, "first": True}
    assert run("ledger", "a", {"x": 2}) == {"entry_id": "a", "attempts": 2, "first": False}
    assert rows(ledger, "entry_id, payload, attempts") == [("a", '{"x": 1}', 2)]


def test_entries_do_not_touch_each_other(run: Run, ledger: Path) -> None:
    run("ledger", "a")
    run("ledger", "b")
    assert rows(ledger, "entry_id, attempts") == [("a", 1), ("b", 1)]


def test_first_and_last_write_are_dated(run: Run, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for now in (10.0, 20.0, 30.0):
        monkeypatch.setattr("tasks.probe.ledger.time.time", lambda now=now: now)
        run("ledger", "a")
    assert rows(ledger, "first_at, last_at") == [(10.0, 30.0)]


def test_the_ledger_is_written_ahead_so_that_a_reader_blocks_no_worker(run: Run, ledger: Path) -> None:
    run("ledger", "a")
    with closing(sqlite3.connect(ledger)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_writers_that_meet_on_a_new_ledger_lose_nothing(ledger: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda number: write(str(ledger), f"entry {number % 4}", "null"), range(40)))
    assert sorted(counts) == sorted(list(range(1, 11)) * 4)


def test_without_a_ledger_the_error_names_the_variable_to_set(run: Run) -> None:
    with pytest.raises(RuntimeError, match="PROBE_LEDGER is not set: give the path"):
        run("ledger", "a")


def test_an_unwritable_ledger_is_named_with_the_fix(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_LEDGER", str(tmp_path / "missing" / "ledger.db"))
    with pytest.raises(RuntimeError, match=r"missing/ledger\.db cannot be written .*set PROBE_LEDGER"):
        run("ledger", "a")
