"""Regressions are named beyond the noise, and only there: enough runs, an interval, an effect that matters."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.judge.baseline import RUNS, Baseline, Change, Key, Outcome, compare, measures
from loadtests.judge.junit import write_junit
from loadtests.judge.objectives import judge
from loadtests.judge.shift import interval, outermost, rank_sums
from unit_tests.loadtests.judged import figures, profile, record, slo

P95: Key = ("end_to_end_p95", None)


def change(before: list[float], after: list[float], measure: str = "end_to_end_p95") -> Change:
    """Return what became of one measure."""
    (found,) = compare([{(measure, None): value} for value in before], [{(measure, None): value} for value in after])
    return found


def test_a_change_beyond_the_noise_is_named_with_its_interval() -> None:
    found = change([0.10, 0.11, 0.10, 0.12, 0.11], [0.20, 0.22, 0.21, 0.20, 0.23])
    assert found.outcome is Outcome.WORSE
    assert found.low == pytest.approx(0.20 / 0.12)
    assert found.high == pytest.approx(0.23 / 0.10)
    assert str(found) == "end_to_end_p95 is worse: 0.21 s, was 0.11 s; 1.67 to 2.3 times (99%), 5 and 5 runs"


def test_a_change_within_the_noise_is_none_however_large_the_medians_differ() -> None:
    assert change([0.1, 0.1, 0.1, 0.3, 0.1], [0.2, 0.2, 0.2, 0.2, 0.2]).outcome is Outcome.SAME


def test_a_change_too_small_to_matter_is_none() -> None:
    assert change([1.00] * 5, [1.04] * 5).outcome is Outcome.SAME
    assert change([1.00] * 5, [1.06] * 5).outcome is Outcome.WORSE


def test_throughput_is_better_when_it_is_more() -> None:
    assert change([100] * 5, [94] * 5, "throughput").outcome is Outcome.WORSE
    assert change([100] * 5, [96] * 5, "throughput").outcome is Outcome.SAME
    assert change([100] * 5, [106] * 5, "throughput").outcome is Outcome.BETTER


def test_a_time_is_better_when_it_is_less() -> None:
    assert change([0.2] * 5, [0.1] * 5).outcome is Outcome.BETTER


@pytest.mark.parametrize(("first", "second"), [(4, 5), (5, 4), (1, 1), (0, 5)])
def test_too_few_runs_are_no_verdict(first: int, second: int) -> None:
    found = change([0.1] * first, [9.0] * second)
    assert found.outcome is Outcome.FEW
    assert "too few runs for a verdict" in str(found)


def test_what_may_be_nought_is_compared_by_difference() -> None:
    assert change([0] * 5, [0] * 5, "lost").outcome is Outcome.SAME
    assert change([0] * 5, [1, 2, 1, 3, 1], "lost").outcome is Outcome.WORSE
    assert change([0] * 5, [1, 0, 1, 3, 1], "lost").outcome is Outcome.SAME
    assert change([0] * 5, [0.0005] * 5, "error_rate").outcome is Outcome.SAME
    assert change([0] * 5, [0.01] * 5, "error_rate").outcome is Outcome.WORSE
    assert change([0.0, 0.1, 0.2, 0.1, 0.3], [0.4, 0.5, 0.6, 0.5, 0.7], "drained_within").outcome is Outcome.SAME


def test_what_never_came_is_worse_than_anything() -> None:
    assert change([0.1] * 5, [math.inf] * 5).outcome is Outcome.WORSE
    assert change([math.inf] * 5, [math.inf] * 5).outcome is Outcome.SAME
    assert change([math.inf] * 5, [0.1] * 5).outcome is Outcome.BETTER
    assert change([3.0] * 5, [math.inf] * 5, "drained_within").outcome is Outcome.WORSE


def test_those_that_are_worse_come_first() -> None:
    before: dict[Key, float] = {("lost", None): 0.0, P95: 0.1}
    after: dict[Key, float] = {("lost", None): 0.0, P95: 0.3}
    assert [found.measure for found in compare([before] * 5, [after] * 5)] == ["end_to_end_p95", "lost"]


def test_the_distribution_of_the_rank_sum_is_that_of_counting() -> None:
    for first, second in ((1, 1), (2, 3), (3, 3), (4, 2)):
        counted = [0] * (first * second + 1)
        for chosen in itertools.combinations(range(first + second), first):
            counted[sum(chosen) - first * (first - 1) // 2] += 1
        assert list(rank_sums(first, second)) == counted


@pytest.mark.parametrize(
    # critical values of Mann and Whitney's U, two-sided 5 % and 1 %, as tables print them
    ("first", "second", "level", "critical"),
    [(5, 5, 0.95, 2), (5, 5, 0.99, 0), (6, 6, 0.95, 5), (8, 8, 0.95, 13), (10, 10, 0.95, 23), (10, 10, 0.99, 16)],
)
def test_as_many_gaps_are_left_out_as_printed_tables_say(first: int, second: int, level: float, critical: int) -> None:
    assert outermost(first, second, level) == critical


def test_the_interval_holds_the_true_shift_as_often_as_it_says() -> None:
    drawn = random.Random(1)  # noqa: S311 - noise
    rounds, inside = 2000, 0
    for _ in range(rounds):
        before = [drawn.lognormvariate(0, 0.3) for _ in range(5)]
        after = [1.2 * drawn.lognormvariate(0, 0.3) for _ in range(5)]
        low, _, high = interval(before, after, relative=True, level=0.99)
        inside += low <= math.log(1.2) <= high
    assert inside / rounds == pytest.approx(1 - 2 / 252, abs=0.005)


def test_noise_alone_is_rarely_called_worse() -> None:
    drawn = random.Random(2)  # noqa: S311 - noise
    rounds = 2000
    false = sum(
        change(
            [drawn.lognormvariate(0, 0.2) for _ in range(5)], [drawn.lognormvariate(0, 0.2) for _ in range(5)]
        ).outcome
        is Outcome.WORSE
        for _ in range(rounds)
    )
    assert false / rounds < 0.008  # 1 in 252 is due


@given(*[st.lists(st.floats(0.001, 1000), min_size=RUNS, max_size=9)] * 2)
def test_before_and_after_changed_round_turn_the_verdict_round(before: list[float], after: list[float]) -> None:
    low, _, high = interval(before, after, relative=True, level=0.99)
    turned = interval(after, before, relative=True, level=0.99)
    assert (low, high) == pytest.approx((-turned[2], -turned[0]))
    assert low <= high


@given(
    st.lists(st.floats(0, 1000) | st.just(math.inf), min_size=5, max_size=8), st.sampled_from(["lost", "throughput"])
)
def test_the_same_runs_are_no_change(values: list[float], measure: str) -> None:
    assert change(values, values, measure).outcome is Outcome.SAME


def test_a_record_tells_each_measure_of_each_task_that_was_measured() -> None:
    told = measures(record(figures([10], task="wait", into=figures([20], errors=["Error"]))))
    assert told["end_to_end_p50", "wait"] == 0.01
    assert told["end_to_end_p95", "short"] == math.inf
    assert told["error_rate", None] == pytest.approx(1 / 3)
    assert ("throughput", "short") not in told
    assert ("redis_memory", None) not in told


def test_a_baseline_survives_its_file(tmp_path: Path) -> None:
    made = Baseline.of([record(figures([20], errors=["Error"]), drained=None)] * 5)
    path = tmp_path / "new" / "baseline.json"
    made.write(path)
    assert Baseline.read(path) == made
    assert "Infinity" not in path.read_text()
    assert {found.outcome for found in Baseline.read(path).compare([record(figures([20]))] * 5)} <= {
        *(Outcome.SAME, Outcome.BETTER)
    }


def test_runs_of_another_workload_do_not_compare(tmp_path: Path) -> None:
    other = record(profile=profile(phases=[{"seconds": 12, "rate": 20}]))
    with pytest.raises(ValueError, match="a baseline is of one workload"):
        Baseline.of([record(), other])
    with pytest.raises(ValueError, match="make a new baseline"):
        Baseline.of([record()]).compare([other])
    with pytest.raises(ValueError, match="is of unit, and the runs are of other: make a baseline of its own"):
        Baseline.of([record()]).compare([record(inventory="other")])
    with pytest.raises(ValueError, match="there are none"):
        Baseline.of([])
    (tmp_path / "x.json").write_text('{"runs": [1]}')
    with pytest.raises(ValueError, match=r"x\.json is no baseline"):
        Baseline.read(tmp_path / "x.json")


def test_junit_fails_what_is_not_kept_and_what_is_worse(tmp_path: Path) -> None:
    run = record(figures([100]))
    run.verdicts = judge(run, [slo("end_to_end_p95", at_most=0.05), slo("lost", at_most=0)])
    changes = [change([0.1] * 5, [0.2] * 5), change([1.0] * 5, [1.0] * 5, "throughput"), change([0.0], [0.0], "lost")]
    path = tmp_path / "new" / "load.xml"
    write_junit(path, run, changes)
    suites = {suite.get("name"): suite for suite in ElementTree.parse(path).getroot()}  # noqa: S314 - our own file
    assert {
        name: (suite.get("tests"), suite.get("failures"), suite.get("skipped")) for name, suite in suites.items()
    } == {
        "unit": ("2", "1", "0"),
        "unit, against the baseline": ("3", "1", "1"),
    }
    (failure,) = suites["unit"].iter("failure")
    assert failure.get("message") == "0.1 s (of 1 tasks)"
