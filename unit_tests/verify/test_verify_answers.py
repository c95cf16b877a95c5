"""How answers are read, and the small machinery of waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import redis

from verify.answer import Answer
from verify.checks.priority import crossed
from verify.results import Answers
from verify.threads import Budget, Later, Lazily, together, until


def answers(store: dict[str, Any]) -> Answers:
    """Return a collector of results that stand in a dictionary, decoded."""
    backend = SimpleNamespace(get_key_for_task=lambda name: f"meta-{name}".encode(), decode=lambda payload: payload)
    kept = SimpleNamespace(
        mget=lambda keys: [store.get(key) for key in keys],
        get=store.get,
        delete=lambda *keys: [store.pop(key, None) for key in keys],
    )
    return Answers(cast("Any", SimpleNamespace(backend=backend)), cast("redis.Redis", kept), Budget(5))


def test_answer_comes_when_its_result_is_stored() -> None:
    store: dict[str, Any] = {}
    found = answers(store)
    answer = found.watch("1")
    assert not found.wait([answer], 0)
    store["meta-1"] = {"status": "STARTED", "worker": "fast-1@web1"}
    assert until(lambda: answer.state == "STARTED", 2, pause=0.001)
    store["meta-1"] = {"status": "SUCCESS", "result": 3}
    assert found.wait([answer], 2)
    assert (answer.ok, answer.value, answer.worker) == (True, 3, "fast-1@web1")
    assert (answer.started or 0) <= (answer.ended or 0)
    assert found.ours("1")
    found.close()
    assert store == {}


def test_results_that_cannot_be_read_end_the_wait() -> None:
    found = answers({})

    def lost(keys: list[str]) -> list[Any]:
        raise redis.ConnectionError("gone")

    found.store.mget = lost  # type: ignore[method-assign, assignment]
    assert found.wait([found.watch("1")], 2)
    assert found.error == "ConnectionError: gone"


@pytest.mark.parametrize(
    ("state", "value", "failure"),
    [
        ("SUCCESS", 1, ""),
        ("FAILURE", {"exc_type": "TimeLimitExceeded", "exc_message": [0.3]}, "TimeLimitExceeded: 0.3"),
        ("FAILURE", {"exc_type": "ValueError", "exc_message": "bad"}, "ValueError: bad"),
    ],
)
def test_failure_is_told_in_words(state: str, value: Any, failure: str) -> None:
    assert Answer("1", 0, state, value).failure == failure


def test_urgent_tasks_that_come_later_are_counted() -> None:
    assert crossed([1, 2], [3, 4]) == 0
    assert crossed([1, 4], [3, 5]) == 1
    assert crossed([5, 6], [3, 4]) == 4


def test_budget_is_shared_by_all_waits(clock: Callable[[], float]) -> None:
    budget = Budget(3, clock)  # read at 0: it ends at 3
    assert [budget.allow(10) for _ in range(4)] == [2, 1, 0, 0]
    assert Budget(100, clock).allow(5) == 5


def test_together_runs_all_and_raises_the_first_error() -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("one of them")

    with pytest.raises(ValueError, match="one of them"):
        together([lambda: done.append(1), fail, lambda: done.append(2)])
    assert sorted(done) == [1, 2]


def test_later_is_asked_once_and_waited_for() -> None:
    asked: list[float] = []

    def ask() -> list[int]:
        asked.append(time.monotonic())
        return [1, 2]

    later = Later(ask)
    assert [list(later), list(later)] == [[1, 2], [1, 2]]
    assert len(asked) == 1


def test_lazily_is_asked_whenever_somebody_looks() -> None:
    numbers = iter(range(10))
    lazily = Lazily(lambda: [next(numbers)])
    assert [list(lazily), list(lazily)] == [[0], [1]]
