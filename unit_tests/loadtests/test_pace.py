"""Promise: a generator that falls behind, is out of CPU or disappears voids the run; one that keeps up does not."""

from __future__ import annotations

import time

import gevent

from loadtests.generator.pace import Pace, verdict


def pace(*lags: float, busy: float = 0.5) -> Pace:
    kept = Pace()
    for lag in lags:
        kept.arrived(lag)
    kept.busy = busy
    return kept


def test_one_that_keeps_up_is_not_blamed() -> None:
    assert verdict([pace(*[0.001] * 999, 0.06)], 1) == ""


def test_one_that_falls_behind_is_named_with_its_worst_lag() -> None:
    said = verdict([pace(*[0.001] * 90, *[0.2] * 9, 1.5)], 1)
    assert "10 of 100 arrivals were over 0.05 s late, the worst 1.5 s" in said


def test_one_without_cpu_to_spare_is_named() -> None:
    assert "95% of a core" in verdict([pace(0.001, busy=0.95)], 1)


def test_one_that_stands_still_is_named_however_few_arrivals_that_concerns() -> None:
    late = pace(*[0.001] * 999, 1.2)
    waiting = pace(0.001)
    waiting.looked(1.3)
    assert "it stood still for 1.2 s" in verdict([late], 1)
    assert "it stood still for 1.3 s" in verdict([waiting], 1)


def watched(burn: float) -> float:
    """Return the share of a core of a process that takes so many seconds of the CPU every 0.02 s, once it is judged."""
    kept = Pace()
    watching = gevent.spawn(kept.watch)
    until = time.monotonic() + 10
    while not kept.busy and time.monotonic() < until:
        gevent.sleep(0.02 - burn)
        end = time.process_time() + burn
        while time.process_time() < end:
            pass
    watching.kill()
    return kept.busy


def test_a_watch_tells_a_busy_process_from_one_that_waits() -> None:
    assert 0 < watched(0.0) < 0.5
    assert any(watched(0.018) > 0.5 for _ in range(5))  # others on the machine may take the core for a second


def test_one_that_does_not_tell_is_missed() -> None:
    assert "1 of 3 generators did not come to their end" in verdict([pace(0.001), pace(0.001)], 3)


def test_a_pace_survives_the_way_to_the_master() -> None:
    told = pace(0.001, 0.2).told()
    assert Pace(**told).worst == 0.2
