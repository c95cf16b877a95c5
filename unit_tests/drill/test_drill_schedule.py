"""When which fault happens to what: the same for the same seed, and every kind in turn."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.faults import FAULTS
from drill.schedule import JITTER, Planned, schedule

REDISES = ["redis-broker@redis-1", "redis-broker@redis-2"]
WORKERS = ["celery-worker@main-1@worker-1", "celery-worker@main-1@worker-2"]
ALL = list(FAULTS.values())
seeds = st.integers(0, 2**32)


def plan(seed: int, count: int = 3 * len(ALL), every: float = 10.0) -> list[Planned]:
    return schedule(seed, ALL, REDISES, WORKERS, count=count, every=every)


@given(seeds)
def test_a_seed_is_a_schedule(seed: int) -> None:
    assert plan(seed) == plan(seed)


def test_another_seed_is_another_schedule() -> None:
    assert len({str(plan(seed)) for seed in range(20)}) == 20


@given(seeds, st.integers(1, 100))
def test_each_kind_happens_before_any_happens_once_more(seed: int, count: int) -> None:
    times = Counter(planned.fault.name for planned in plan(seed, count))
    assert sum(times.values()) == count
    assert max(times.values()) - min(times.get(name, 0) for name in FAULTS) <= 1


@given(seeds)
def test_a_fault_lasts_as_long_as_its_kind_says_and_happens_to_a_service_of_its_kind(seed: int) -> None:
    for planned in plan(seed):
        low, high = planned.fault.lasts
        assert low <= planned.lasts <= high
        assert planned.name in (REDISES if planned.fault.where == "redis" else WORKERS)


@given(seeds)
def test_faults_come_one_after_the_other_with_a_pause_near_the_one_asked_for(seed: int) -> None:
    planned = plan(seed)
    assert [one.number for one in planned] == list(range(1, len(planned) + 1))
    times = [0.0, *(one.at for one in planned)]
    for before, after in itertools.pairwise(times):
        assert after - before == pytest.approx(10, abs=10 * JITTER + 1e-6)


def test_every_service_has_its_turn() -> None:
    assert {planned.name for planned in plan(1)} == {*REDISES, *WORKERS}
