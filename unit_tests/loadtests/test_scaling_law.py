"""Promise: the law that is fitted to measurements is the one they come from, and its interval is as wide as their noise."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable

import pytest

from loadtests.scaling.law import Law, fit

TRUTH = Law(180.0, 0.05, 0.004)
SIZES = (1, 2, 4, 6, 8)


def measured(law: Law, noise: float, seed: int = 1, sizes: tuple[int, ...] = SIZES) -> list[tuple[int, float]]:
    draw = random.Random(seed)  # noqa: S311 - noise
    return [(size, law.at(size) * (1 + draw.gauss(0, noise))) for size in (*sizes, *sizes)]


@pytest.mark.parametrize(
    "truth",
    [TRUTH, Law(45.0, 0.0, 0.0), Law(700.0, 0.3, 0.0), Law(200.0, 0.0, 0.02), Law(1.5, 1.0, 0.001)],
)
def test_without_noise_the_parameters_come_out(truth: Law) -> None:
    found = fit(measured(truth, 0)).law
    assert found.rate == pytest.approx(truth.rate, rel=1e-3)
    assert found.contention == pytest.approx(truth.contention, abs=1e-3)
    assert found.coherency == pytest.approx(truth.coherency, abs=1e-4)


FIGURES: dict[str, Callable[[Law], float]] = {
    "rate": lambda law: law.rate,
    "contention": lambda law: law.contention,
    "throughput of 5": lambda law: law.at(5),
}
RUNS = 25


def test_with_noise_the_intervals_hold_the_truth() -> None:
    # 95 % are promised; a bootstrap of ten measurements keeps about 90
    held = dict.fromkeys(FIGURES, 0)
    for seed in range(RUNS):
        found = fit(measured(TRUTH, 0.03, seed), seed)
        for name, of in FIGURES.items():
            least, most = found.interval(of)
            held[name] += least <= of(TRUTH) <= most
    assert min(held.values()) >= 0.8 * RUNS, held


def test_a_further_measurement_lies_where_it_is_expected() -> None:
    draw = random.Random(5)  # noqa: S311 - noise
    inside = 0
    for seed in range(RUNS):
        least, most = fit(measured(TRUTH, 0.03, seed), seed).expected(5)
        inside += least <= TRUTH.at(5) * (1 + draw.gauss(0, 0.03)) <= most
    assert inside >= 0.8 * RUNS


def test_one_measurement_that_met_another_load_does_not_bend_the_law() -> None:
    points = measured(TRUTH, 0.02) * 2
    points[3] = (points[3][0], points[3][1] / 2)
    assert fit(points).law.at(5) == pytest.approx(TRUTH.at(5), rel=0.05)


def test_the_interval_grows_with_the_noise() -> None:
    def width(noise: float) -> float:
        least, most = fit(measured(TRUTH, noise)).interval(lambda law: law.rate)
        return most - least

    assert width(0.1) > 3 * width(0.01)


def test_the_same_measurements_and_seed_give_the_same_interval() -> None:
    first, second = (fit(measured(TRUTH, 0.03), seed=3).expected(5) for _ in range(2))
    assert first == second


def test_the_peak_is_where_one_more_worker_takes_away() -> None:
    peak = TRUTH.peak
    assert peak == pytest.approx(math.sqrt(0.95 / 0.004))
    assert TRUTH.at(peak) > max(TRUTH.at(peak - 1), TRUTH.at(peak + 1))
    assert TRUTH.most == TRUTH.at(peak)


def test_where_workers_only_wait_there_is_a_most_and_no_peak() -> None:
    law = Law(100.0, 0.1, 0.0)
    assert law.peak == math.inf
    assert law.most == pytest.approx(1000)
    assert law.knee == pytest.approx(10)


def test_perfect_scaling_has_neither() -> None:
    law = Law(100.0, 0.0, 0.0)
    assert (law.peak, law.most, law.workers_for(1001)) == (math.inf, math.inf, 11)


def test_the_fewest_workers_that_carry_a_rate() -> None:
    for rate in (1.0, 180.0, 181.0, 600.0, TRUTH.at(15)):
        workers = TRUTH.workers_for(rate)
        assert workers is not None
        assert TRUTH.at(workers) >= rate
        assert workers == 1 or TRUTH.at(workers - 1) < rate


def test_beyond_the_most_no_number_is_enough() -> None:
    assert TRUTH.workers_for(1.01 * TRUTH.most) is None
    assert Law(100.0, 1.0, 0.0).workers_for(101) is None


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([(1, 10.0), (2, 20.0)] * 3, "measure three sizes at least, twice each"),
        ([(1, 10.0), (2, 20.0), (3, 30.0)], "3 measurements of the sizes [1, 2, 3] cannot tell"),
        ([(1, 10.0), (2, 20.0), (3, 0.0), (4, 1.0)], "a throughput of 0 tasks/s is no measurement"),
    ],
)
def test_too_few_or_empty_measurements_are_refused_in_a_sentence(points: list[tuple[int, float]], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        fit(points)
