"""Faults are spread over what is measured, the same for the same seed, and healed whatever happens."""

from __future__ import annotations

import time

import pytest

from engine.errors import NotPossible
from integration_tests.waiting import wait_until
from loadtests.run.chaos import Chaos, plan
from settings.model.load import LoadPhase, LoadProfile, LoadTask
from unit_tests.drill.recording import Recording


def profile(*faults: str, seed: int = 1) -> LoadProfile:
    return LoadProfile(
        name="mine",
        tasks=[LoadTask(name="short", task="probe.add")],
        phases=[LoadPhase(seconds=100, rate=10)],
        warm_up=20,
        seed=seed,
        faults=list(faults),
    )


def now(*faults: str) -> Chaos:
    """Return faults that are due at once."""
    said: list[str] = []
    planned = plan(profile(*faults), Recording())
    chaos = Chaos(Recording(), planned, said.append)
    chaos.begin(time.time() - 100)
    return chaos


def test_faults_are_spread_evenly_over_what_is_measured_each_once() -> None:
    planned = plan(profile("worker-pause", "redis-kill", "redis-pause", "worker-term"), Recording())
    assert [one.at for one in planned] == [30, 50, 70, 90]
    assert sorted(one.fault.name for one in planned) == ["redis-kill", "redis-pause", "worker-pause", "worker-term"]


def test_the_same_seed_is_the_same_plan() -> None:
    faults = ("worker-pause", "redis-kill", "redis-pause", "worker-term")
    assert plan(profile(*faults), Recording()) == plan(profile(*faults), Recording())
    assert len({tuple(one.fault.name for one in plan(profile(*faults, seed=n), Recording())) for n in range(9)}) > 1


def test_a_fault_that_there_is_not_or_that_cannot_be_done_is_refused() -> None:
    with pytest.raises(NotPossible, match="mine: there is no fault 'redis-kil': write redis-kill"):
        plan(profile("redis-kil"), Recording())
    with pytest.raises(NotPossible, match="the fault disk-full cannot be done here, it needs disk"):
        plan(profile("disk-full"), Recording(abilities=frozenset()))


def test_what_happened_is_told_with_its_place_and_times_since_the_begin() -> None:
    chaos = now("worker-term", "redis-kill")
    wait_until("both", lambda: not chaos.missed, 10)
    chaos.end()
    assert [(one.name, one.place.partition("-")[0]) for one in chaos.happened(0)] in (
        [("worker-term", "celery"), ("redis-kill", "redis")],
        [("redis-kill", "redis"), ("worker-term", "celery")],
    )
    assert all(one.at <= one.until <= time.time() for one in chaos.happened(0))


def test_the_end_heals_what_is_hurt_at_once_and_lets_nothing_more_happen() -> None:
    chaos = now("worker-freeze", "redis-kill", "redis-freeze")
    wait_until("a fault is in force, or the next", lambda: len(chaos.missed) < 3, 10)
    began = time.monotonic()
    chaos.end()
    assert time.monotonic() - began < 5  # a freeze lasts longer
    hurt = {one.name for one in chaos.happened(0)}
    assert hurt
    assert len(chaos.missed) == 3 - len(hurt)


def test_a_fault_that_cannot_be_healed_is_told() -> None:
    target = Recording(refuses={"resume": NotPossible("it does not go on")})
    chaos = Chaos(target, plan(profile("worker-pause"), target), lambda _: None)
    chaos.begin(time.time() - 100)
    wait_until("it is tried", lambda: "mend" in target.done, 10)
    chaos.end()
    with pytest.raises(NotPossible, match="a fault could not be done or healed: it does not go on"):
        chaos.check()
    assert "mend" in target.done


def test_nothing_happens_where_nothing_is_planned() -> None:
    target = Recording()
    chaos = Chaos(target, [], lambda _: None)
    chaos.begin(time.time())
    chaos.end()
    assert not target.done


def test_a_fault_that_did_not_happen_is_no_pass() -> None:
    chaos = Chaos(Recording(), plan(profile("worker-term", "redis-kill"), Recording()), lambda _: None)
    (verdict,) = chaos.verdicts
    assert (verdict.kept, verdict.value, verdict.bound) == (False, 0, 2)
    assert verdict.note.startswith("no time was left for ")
    assert not Chaos(None, [], lambda _: None).verdicts
