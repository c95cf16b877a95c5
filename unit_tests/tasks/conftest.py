"""An app of its own for each test: eager, JSON, results in memory, nothing from the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery

import tasks.probe  # noqa: F401 - registers the probes with every app made later

JSON_ONLY = {"task_serializer": "json", "result_serializer": "json", "accept_content": ["json"]}


@pytest.fixture(autouse=True)
def _no_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide a developer's own deployment."""
    for variable in (
        "CELERY_CONFIG_MODULE",
        "CELERY_BROKER_URL",
        "CELERY_BROKER_READ_URL",
        "CELERY_BROKER_WRITE_URL",
        "CELERY_RESULT_BACKEND",
        "CELERY_RELEASE",
        "PROBE_HISTORY",
        "PROBE_LEDGER",
    ):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def app() -> Iterator[Celery]:
    """Return an eager app with the probes and a result backend in memory."""
    with Celery("unit", set_as_current=False, broker="memory://", backend="cache+memory://") as unit:
        unit.conf.update(JSON_ONLY, task_always_eager=True, task_store_eager_result=True)
        yield unit


@pytest.fixture
def run(app: Celery) -> Callable[..., Any]:
    """Return a function that runs `probe.<name>` eagerly and returns its result, or raises its error."""

    def call(name: str, *args: object, **kwargs: object) -> object:
        return app.tasks[f"probe.{name}"].apply(args, kwargs).get()

    return call


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace time.sleep by a list of what was slept, in seconds."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept
