"""Promises: a template says of arguments what Celery says; nothing of it reaches a network."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import QueueNotFound
from celery.utils.saferepr import saferepr
from hypothesis import given
from hypothesis import strategies as st

from loadtests.generator.target import Target
from loadtests.generator.wire import Wire

TARGET = Target(
    broker="redis://nowhere.invalid/0",
    results="redis://nowhere.invalid/0",
    queues=["fast", "slow"],
    conf={"task_default_queue": "fast", "task_create_missing_queues": False},
    imports=["tasks.probe", "not.there"],
)
WIRE = Wire(TARGET)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


def message(*args: Any, **options: Any) -> dict[str, Any]:
    template = WIRE.template((("probe.echo", args[:1]),), **options)
    return dict(json.loads(template.render(["the-id"], "the-tag", args)))


@given(value=VALUES)
def test_any_argument_arrives_and_is_shown_as_celery_shows_it(value: Any) -> None:
    sent = message(value)
    assert json.loads(base64.b64decode(sent["body"]))[0] == [value]
    assert sent["headers"]["argsrepr"] == saferepr((value,), 1024)


def test_arguments_that_are_equal_and_not_the_same_stay_apart() -> None:
    assert [json.loads(base64.b64decode(message(value)["body"]))[0] for value in (1, True, 1.0)] == [[1], [True], [1.0]]


def test_ids_stand_wherever_celery_puts_them() -> None:
    sent = message(1)
    assert sent["headers"]["id"] == sent["headers"]["root_id"] == sent["properties"]["correlation_id"] == "the-id"
    assert sent["properties"]["delivery_tag"] == "the-tag"


def test_a_point_in_time_is_said_anew_and_no_template_of_its_own() -> None:
    now = WIRE.template((("probe.echo", (1,)),)).app.now()
    template = WIRE.template((("probe.echo", (1,)),), eta=now)
    assert template is WIRE.template((("probe.echo", (1,)),), eta=now + timedelta(seconds=1))
    assert template is not WIRE.template((("probe.echo", (1,)),), eta=None)
    assert json.loads(template.render(["id"], "tag", (1,), eta=now))["headers"]["eta"] == now.isoformat()


def test_no_template_reaches_the_broker_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_WRITE_URL", "CELERY_RESULT_BACKEND"):
        monkeypatch.setenv(name, "redis://nowhere.invalid/0")
    assert Wire(TARGET).template((("probe.echo", (1,)),)).key == b"fast"


@pytest.mark.parametrize("options", [{"expires": "soon"}, {"countdown": "1"}])
def test_what_is_no_number_of_seconds_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="is not a number of seconds"):
        message(1, **options)


def test_a_queue_that_nobody_has_is_refused() -> None:
    with pytest.raises(QueueNotFound):
        message(1, queue="fsat")
