"""The simple probes answer what they promise, and refuse what would hurt."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st

from tasks.probe.bounds import within
from tasks.probe.errors import ProbeError

Run = Callable[..., Any]


def test_add_adds(run: Run) -> None:
    assert run("add", 2, 3) == 5


def test_sum_adds_a_chords_results(run: Run) -> None:
    assert run("sum", [1, 2, 3.5]) == 6.5


def test_fail_fails_with_the_message_it_was_given(run: Run) -> None:
    with pytest.raises(ProbeError, match="as planned"):
        run("fail", "as planned")


@pytest.mark.parametrize("payload", [None, "é", 1.5, [1, [2]], {"a": {"b": None}}])
def test_echo_returns_any_json_value_unchanged(run: Run, payload: object) -> None:
    assert run("echo", payload) == payload


def test_sleep_holds_its_slot_for_the_time_asked_and_reports_start_and_end(run: Run, naps: list[float]) -> None:
    answer = run("sleep", 3)
    assert naps == [3]
    assert answer["started_at"] <= answer["finished_at"]
    assert answer["pid"] == os.getpid()


def test_sleep_of_more_than_an_hour_is_refused_with_value_limit_and_fix(run: Run, naps: list[float]) -> None:
    with pytest.raises(ValueError, match=r"seconds=3601 is above the limit of 3600 s: send at most 3600"):
        run("sleep", 3601)
    assert naps == []


def test_whoami_tells_worker_process_queue_and_release(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_RELEASE", "2026-11-22.1")
    answer = app.tasks["probe.whoami"].apply(routing_key="reports").get()
    assert answer["queue"] == "reports"
    assert answer["pid"] == os.getpid()
    assert answer["release"] == "2026-11-22.1"
    assert answer["worker"]


def test_whoami_has_no_release_where_none_is_deployed(run: Run) -> None:
    assert run("whoami")["release"] is None


def test_priority_returns_its_tag_with_times_that_order_two_runs(run: Run) -> None:
    first, second = run("priority", "a"), run("priority", "b")
    assert (first["tag"], second["tag"]) == ("a", "b")
    assert first["monotonic"] < second["monotonic"]


@pytest.mark.parametrize("name", ["noop", "rate_limited", "heartbeat", "whoami"])
def test_probes_without_arguments_answer_in_json(run: Run, name: str) -> None:
    answer = run(name)
    assert json.loads(json.dumps(answer)) == answer


@given(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans(), st.lists(st.integers())))
def test_a_bound_accepts_just_the_numbers_within_it(value: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and 0 <= value <= 10:
        within("probe.x", "y", value, 0, 10)
    else:
        with pytest.raises(ValueError, match=r"probe\.x: y=.*: send"):
            within("probe.x", "y", value, 0, 10)
