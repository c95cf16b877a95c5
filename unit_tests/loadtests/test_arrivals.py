"""Promise: a schedule is kept exactly: what arrives is its count, each at its time, whoever shares it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.generator.arrivals import Piece, Rates, Schedule, Trace, arrivals, constant, ramp, soak, spike, steps

PIECES = st.lists(st.builds(Piece, st.floats(0.1, 100), st.floats(0, 500), st.floats(0, 500)), min_size=1, max_size=5)
RATES = PIECES.filter(lambda pieces: sum(piece.begin + piece.end for piece in pieces) > 1).map(Rates)
SHAPES: dict[str, tuple[Schedule, float, float]] = {  # schedule, seconds, arrivals
    "constant": (constant(10, 60), 60, 600),
    "ramp up": (ramp(0, 100, 60), 60, 3000),
    "ramp down": (ramp(100, 0, 60), 60, 3000),
    "steps": (steps([10, 0, 30], 20), 60, 800),
    "spike": (spike(5, 200, before=10, during=2, after=10), 22, 500),
    "soak": (soak(50, 3600, warm_up=60), 3660, 181_500),
    "trace": (Trace([7.0, 7.5, 7.5, 11.0]), 4, 4),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_brings_what_its_name_says(shape: str) -> None:
    schedule, seconds, number = SHAPES[shape]
    assert schedule.seconds == pytest.approx(seconds)
    assert schedule.count(schedule.seconds) == pytest.approx(number)
    assert len(list(arrivals(schedule))) == number


def test_a_spike_is_where_it_was_put() -> None:
    times = list(arrivals(spike(5, 200, before=10, during=2, after=10)))
    assert sum(10 < at <= 12 for at in times) == pytest.approx(400, abs=1)


@given(schedule=RATES, share=st.floats(0.001, 1))
def test_time_of_is_the_inverse_of_count(schedule: Rates, share: float) -> None:
    number = share * schedule.count(schedule.seconds)
    assert schedule.count(schedule.time_of(number)) == pytest.approx(number, rel=1e-6, abs=1e-6)


@given(schedule=RATES, times=st.lists(st.floats(-1, 600), min_size=2))
def test_a_count_never_falls_and_stays_within_the_schedule(schedule: Rates, times: list[float]) -> None:
    counts = [schedule.count(at) for at in sorted(times)]
    assert all(earlier <= later + 1e-6 for earlier, later in pairwise(counts))
    assert counts[0] >= 0
    assert counts[-1] <= schedule.count(schedule.seconds) + 1e-6


@given(parts=st.integers(1, 7), seed=st.none() | st.integers(0, 99))
def test_generators_together_keep_the_schedule_exactly(parts: int, seed: int | None) -> None:
    schedule = ramp(5, 50, 10)
    shares = [list(arrivals(schedule, part, parts, seed)) for part in range(parts)]
    assert sorted(at for share in shares for at in share) == list(arrivals(schedule, seed=seed))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_arrivals_at_random_have_the_rate_and_the_spread_of_a_poisson_process() -> None:
    times = list(arrivals(constant(100, 200), seed=7))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.01, rel=0.03)
    assert spread == pytest.approx(mean, rel=0.05), "of even arrivals it would be 0"
    assert times == list(arrivals(constant(100, 200), seed=7))


def test_a_trace_is_replayed_at_its_times_and_faster_where_asked() -> None:
    assert list(arrivals(Trace([7.0, 7.5, 7.5, 11.0]))) == [0, 0.5, 0.5, 4]
    assert list(arrivals(Trace([7.0, 7.5, 7.5, 11.0], speed=2))) == [0, 0.25, 0.25, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: constant(-1, 10),
        lambda: constant(1, 0),
        lambda: constant(float("nan"), 1),
        lambda: steps([0, 0], 5),
        lambda: Trace([]),
        lambda: Trace([2, 1]),
    ],
)
def test_what_can_be_no_schedule_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"schedule|piece|trace"):
        wrong()  # type: ignore[operator]


def test_a_schedule_may_end_in_a_pause() -> None:
    """29 arrivals come to 28.999999999999996 of them: the last must not be looked for in the pause."""
    schedule = Rates([Piece(100, 0.29, 0.29), Piece(10, 0, 0)])
    assert schedule.count(100) < 29
    times = list(arrivals(schedule))
    assert len(times) == 29
    assert times[-1] == pytest.approx(100)
