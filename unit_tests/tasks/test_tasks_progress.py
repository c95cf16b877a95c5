"""A long task says how far it is."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery


@pytest.fixture
def stored(app: Celery, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Return the (state, meta) pairs that reach the result backend, in order."""
    pairs: list[tuple[str, Any]] = []
    monkeypatch.setattr(app.backend, "store_result", lambda _id, meta, state, **_more: pairs.append((state, meta)))
    return pairs


def test_each_stage_is_reported_with_name_count_and_percent(
    app: Celery, stored: list[tuple[str, Any]], naps: list[float]
) -> None:
    app.tasks["probe.long"].apply((["fetch", "parse", "store"], 2)).get()
    assert [pair for pair in stored if pair[0] == "PROGRESS"] == [
        ("PROGRESS", {"current": 1, "total": 3, "stage": "fetch", "percent": 33.3}),
        ("PROGRESS", {"current": 2, "total": 3, "stage": "parse", "percent": 66.7}),
        ("PROGRESS", {"current": 3, "total": 3, "stage": "store", "percent": 100.0}),
    ]
    assert naps == [2, 2, 2]


def test_a_number_of_stages_names_them(app: Celery, naps: list[float]) -> None:
    answer = app.tasks["probe.long"].apply((2, 0.5)).get()
    assert (answer["stages"], answer["total"]) == (["stage 1", "stage 2"], 2)


@pytest.mark.parametrize(
    ("stages", "seconds", "message"),
    [
        (0, 1, "stages=0 is below the limit of 1"),
        ([], 1, "number of stages=0 is below the limit of 1"),
        (1001, 0, "stages=1001 is above the limit of 1000"),
        (100, 60, "stages x seconds=6000 is above the limit of 3600 s"),
        (1, -1, "seconds=-1 is below the limit of 0 s"),
        ("three", 1, "stages='three' is not a number"),
    ],
)
def test_work_beyond_the_limits_is_refused_before_it_starts(
    app: Celery, naps: list[float], stages: object, seconds: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        app.tasks["probe.long"].apply((stages, seconds)).get()
    assert naps == []


def test_called_as_a_function_it_reports_nowhere(app: Celery, stored: list[tuple[str, Any]], naps: list[float]) -> None:
    assert app.tasks["probe.long"].run(1, 0)["total"] == 1
    assert stored == []
