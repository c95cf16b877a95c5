"""Retries leave a record that can be compared with the backoff, and keep nothing in the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery, Task
from celery.signals import task_prerun
from hypothesis import given
from hypothesis import strategies as st

from tasks.probe.retry import HISTORY, backoff

Run = Callable[..., Any]


def test_the_backoff_doubles_from_base_up_to_cap() -> None:
    assert [backoff(retries, 0.5, 3) for retries in range(5)] == [0.5, 1, 2, 3, 3]


@given(st.integers(0, 10), st.floats(0, 60), st.floats(0, 3600))
def test_the_backoff_never_shrinks_and_never_exceeds_the_cap(retries: int, base: float, cap: float) -> None:
    assert backoff(retries, base, cap) <= backoff(retries + 1, base, cap) <= cap


def test_without_jitter_each_delay_is_the_backoff(run: Run) -> None:
    attempts = run("retry", failures=3, base=1, cap=3, jitter=False)["attempts"]
    assert [attempt["retries"] for attempt in attempts] == [0, 1, 2, 3]
    assert [attempt["delay"] for attempt in attempts] == [1, 2, 3, None]
    assert [attempt["backoff"] for attempt in attempts] == [1, 2, 3, None]


def test_with_jitter_each_delay_lies_between_zero_and_the_backoff(run: Run) -> None:
    for attempt in run("retry", failures=10, base=1, cap=8)["attempts"][:-1]:
        assert 0 <= attempt["delay"] <= attempt["backoff"]


def test_the_delay_in_the_record_is_the_one_the_broker_is_asked_for(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    task = app.tasks["probe.retry"]
    original = task.retry

    def spy(*, countdown: float, **options: object) -> object:
        asked.append(countdown)
        return original(countdown=countdown, **options)

    monkeypatch.setattr(task, "retry", spy)
    attempts = task.apply(kwargs={"failures": 3}).get()["attempts"]
    assert asked == [attempt["delay"] for attempt in attempts[:-1]]


@pytest.mark.parametrize("name", ["retry", "autoretry"])
def test_no_failures_means_one_attempt(run: Run, name: str) -> None:
    assert len(run(name, failures=0)["attempts"]) == 1


@pytest.mark.parametrize("name", ["retry", "autoretry"])
def test_attempts_of_two_messages_do_not_mix(run: Run, name: str) -> None:
    assert len(run(name, failures=2)["attempts"]) == 3
    assert len(run(name, failures=2)["attempts"]) == 3


@pytest.mark.parametrize("name", ["retry", "autoretry"])
def test_the_record_travels_with_the_message_beside_the_senders_own_headers(app: Celery, name: str) -> None:
    earlier = {"retries": 0, "started_at": 1.0, "backoff": 1.0, "delay": 0.5}
    headers = {"trace": "abc", HISTORY: [earlier]}
    traces: list[str] = []

    def note(task: Task, **_more: object) -> None:
        traces.append(task.request.headers["trace"])

    task_prerun.connect(note)
    try:
        result = app.tasks[f"probe.{name}"].apply(kwargs={"failures": 2}, retries=1, headers=headers)
    finally:
        task_prerun.disconnect(note)
    attempts = result.get()["attempts"]
    assert traces == ["abc", "abc"]
    assert attempts[0] == earlier
    assert [attempt["retries"] for attempt in attempts] == [0, 1, 2]
    assert headers == {"trace": "abc", HISTORY: [earlier]}


def test_autoretry_reports_the_backoff_celery_draws_from(run: Run) -> None:
    attempts = run("autoretry", failures=4)["attempts"]
    assert [attempt["backoff"] for attempt in attempts] == [1, 2, 4, 4, None]


def test_autoretry_leaves_the_retry_to_celery(app: Celery) -> None:
    task = app.tasks["probe.autoretry"]
    assert (task.retry_backoff, task.retry_backoff_max, task.retry_jitter) == (1, 4, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"failures": 11}, "failures=11 is above the limit of 10"),
        ({"base": 61}, "base=61 is above the limit of 60 s"),
        ({"cap": 4000}, "cap=4000 is above the limit of 3600 s"),
        ({"base": float("nan")}, "base=nan"),
    ],
)
def test_a_retry_without_end_is_refused(run: Run, arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run("retry", **arguments)
