"""A MATRIX says what the suites run on, or is refused with a sentence that says what to write."""

from __future__ import annotations

import pytest

from engine.errors import NotPossible
from engine.images import described
from engine.matrix import CHOICES, combinations


def test_nothing_said_is_one_sensible_pair() -> None:
    assert [str(one) for one in combinations()] == ["redis=7 python=3.13 transport=redis"]


def test_every_value_is_combined_with_every_other() -> None:
    found = combinations("transport=redis,redis-plus redis=7,8")
    assert [str(one) for one in found] == [
        "redis=7 python=3.13 transport=redis",
        "redis=7 python=3.13 transport=redis-plus",
        "redis=8 python=3.13 transport=redis",
        "redis=8 python=3.13 transport=redis-plus",
    ]


def test_a_combination_reads_back_as_itself() -> None:
    for one in combinations("redis=7,8 python=3.11,3.13"):
        assert combinations(str(one)) == [one]


def test_a_value_that_is_said_twice_runs_once() -> None:
    assert len(combinations("redis=8,8")) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("redis=9", "MATRIX: 'redis=9' is not known: choose of redis=7,8"),
        ("redis=7,9", "MATRIX: 'redis=7,9' is not known"),
        ("pyton=3.13", "MATRIX: 'pyton=3.13' is not known"),
        ("redis", "MATRIX: 'redis' is not known"),
        ("redis=", "MATRIX: 'redis=' is not known"),
        ("redis=7 redis=8", "MATRIX: redis is said twice: write redis=7,8."),
        ("python=3.11 transport=redis-plus", "celery-redis-plus takes Python 3.13: leave python=3.11 out."),
        ("python=3.11,3.13 transport=redis,redis-plus", "leave python=3.11 out."),
    ],
)
def test_what_cannot_run_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(NotPossible) as refused:
        combinations(text)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_combination_names_images_that_there_are() -> None:
    every = combinations(f"redis={','.join(CHOICES['redis'])} python={','.join(CHOICES['python'])}")
    every += combinations("transport=redis-plus")
    assert {image for one in every for image in one.images} <= set(described())
