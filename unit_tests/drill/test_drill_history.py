"""A history is written and read without loss, whoever wrote it and however its writer ended."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.history import Event, History, Kind, events
from tasks.probe.history import append
from unit_tests.drill.runs import event, ran, sent

JSON = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
DETAILS = st.dictionaries(st.text().filter(lambda key: key not in ("at", "event", "entry")), JSON)
EVENTS = st.builds(Event, st.floats(0, 1e11, allow_nan=False), st.sampled_from(Kind), st.text(), DETAILS)


@given(EVENTS)
def test_an_event_comes_back_from_its_line(event: Event) -> None:
    assert Event.parse(event.line()) == event
    assert "\n" not in event.line()


def test_a_history_comes_back_from_its_file_in_the_order_of_time(tmp_path: Path) -> None:
    history = History([*ran("b", 3, 4), *sent("a", 1)])
    history.append(Kind.FAULT, "kill-1", at=2, name="kill")
    history.write(tmp_path / "run.jsonl")
    again = History()
    again.read(tmp_path / "run.jsonl")
    assert list(again) == list(history)
    assert [one.at for one in again] == [1, 1.01, 2, 3, 4]


def test_what_the_workers_write_is_read_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.jsonl"
    monkeypatch.setenv("PROBE_HISTORY", str(path))
    at = append("started", "a", worker="celery@one", retries=0)
    history = History()
    history.read(path)
    (found,) = history
    assert (found.at, found.kind, found.entry) == (at, Kind.STARTED, "a")
    assert found.detail["worker"] == "celery@one"


def test_a_file_that_is_read_twice_counts_once(tmp_path: Path) -> None:
    history = History(ran("a", 1, 2))
    history.write(tmp_path / "run.jsonl")
    history.read(tmp_path / "run.jsonl", tmp_path / "run.jsonl")
    assert len(history) == 2


@given(st.lists(EVENTS, min_size=1, max_size=3), st.data())
def test_a_file_that_was_cut_anywhere_keeps_its_whole_lines(written: list[Event], data: st.DataObject) -> None:
    content = "".join(one.line() + "\n" for one in written).encode()
    cut = content[: data.draw(st.integers(0, len(content)))]
    found = events(cut, "run.jsonl")
    assert found == written[: len(found)]
    assert len(found) >= cut.count(b"\n")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "Expecting property name"),
        ("[]", "is no JSON object"),
        ('{"at": 1, "event": "started"}', "'entry' is missing"),
        ('{"at": 1, "event": "begun", "entry": "a"}', "'begun' is not a valid Kind"),
        ('{"at": null, "event": "started", "entry": "a"}', "`at` is no number"),
        ('{"at": NaN, "event": "started", "entry": "a"}', "must be finite"),
        ('{"at": 1, "event": "started", "entry": 1}', "entry=1 a string"),
    ],
)
def test_a_broken_line_that_is_not_the_last_is_named(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(f"{event(1, 'started', 'a').line()}\n{line}\n{event(2, 'finished', 'a').line()}\n")
    with pytest.raises(ValueError, match=rf"run\.jsonl:2: .*{why}.*give each run a new one"):
        History().read(path)


def test_threads_that_append_at_once_lose_nothing() -> None:
    history = History()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: history.append(Kind.STARTED, f"{number}"), range(2000)))
    assert {one.entry for one in history} == {f"{number}" for number in range(2000)}


def test_a_line_is_json_with_the_three_names_every_reader_looks_for() -> None:
    assert json.loads(event(1, "started", "a", pid=7).line()) == {"at": 1, "event": "started", "entry": "a", "pid": 7}
