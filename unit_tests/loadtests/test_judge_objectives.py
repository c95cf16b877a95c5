"""Objectives are judged by what they say: late ones cannot be lost away, and what nobody measured is not kept."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.judge.measures import MEASURES, Run
from loadtests.judge.objectives import judge, so_far
from loadtests.record import Record, Sample, Verdict
from settings.model.load import Measure
from unit_tests.loadtests.judged import MIB, figures, profile, record, slo

LOST = "lost: no result within 30 s"
HUNDRED = [float(number) for number in range(1, 101)]


def one(run: Record, measure: str, **said: Any) -> Verdict:
    """Return the verdict of one objective."""
    (verdict,) = judge(run, [slo(measure, **said)])
    return verdict


def test_every_measure_of_the_settings_can_be_judged() -> None:
    assert set(MEASURES) == set(get_args(get_args(Measure)[0]))


@pytest.mark.parametrize(("share", "value"), [("p50", 0.05), ("p95", 0.095), ("p99", 0.099)])
def test_a_percentile_is_the_nearest_rank_in_seconds(share: str, value: float) -> None:
    run = record(figures(HUNDRED))
    assert one(run, f"end_to_end_{share}", at_most=value).kept
    assert one(run, f"end_to_end_{share}", at_most=value).value == value
    assert not one(run, f"end_to_end_{share}", at_most=value - 0.001).kept


def test_an_objective_stands_in_words_with_its_bound() -> None:
    assert one(record(figures([1])), "end_to_end_p95", task="short", at_most=0.2).objective == (
        "end_to_end_p95 of short at most 0.2 s"
    )
    assert one(record(), "redis_memory", at_most=32 * MIB).objective == "redis_memory at most 32 MiB"


def test_losing_the_slow_ones_does_not_improve_a_percentile() -> None:
    slow = one(record(figures([1] * 90 + [9000] * 10)), "end_to_end_p95", at_most=1)
    lossy = one(record(figures([1] * 90, errors=[LOST] * 10)), "end_to_end_p95", at_most=1)
    assert (slow.value, slow.kept) == (9.0, False)
    assert (lossy.value, lossy.kept) == (None, False)
    assert "10 of 100 tasks came to no good end" in lossy.note


def test_a_few_failures_shift_a_percentile_by_just_as_many_ranks() -> None:
    assert one(record(figures(HUNDRED[:98], errors=["ValueError"] * 2)), "end_to_end_p95", at_most=1).value == 0.095


@given(
    st.lists(st.integers(1, 900), max_size=60),
    st.integers(0, 20),
    st.sampled_from(["end_to_end_p50", "end_to_end_p95", "end_to_end_p99"]),
    st.data(),
)
def test_a_task_that_fails_instead_of_ending_makes_no_percentile_better(
    times: list[int], failed: int, measure: str, data: st.DataObject
) -> None:
    times_ms = [float(time) for time in times]
    before = Run(record(figures(times_ms, errors=["Error"] * failed))).measured(measure).value
    if not times_ms:
        assert before in (None, math.inf)
        return
    times_ms.pop(data.draw(st.integers(0, len(times_ms) - 1)))
    after = Run(record(figures(times_ms, errors=["Error"] * (failed + 1)))).measured(measure).value
    assert before is not None
    assert after is not None
    assert after >= before


def test_a_task_that_never_began_waited_for_ever() -> None:
    all_waited = figures([5] * 90, waits=[1] * 100, errors=["ValueError"] * 10)  # failed, but were begun
    assert one(record(all_waited), "queue_wait_p95", at_most=1).value == 0.001
    lost = figures([5] * 90, waits=[1] * 90, errors=[LOST] * 10)
    assert not one(record(lost), "queue_wait_p95", at_most=1).kept
    nobody = figures(errors=[LOST] * 10, task="wait", into=figures([5] * 10, waits=[1] * 10))
    assert not one(record(nobody), "queue_wait_p95", at_most=1).kept
    assert one(record(nobody), "queue_wait_p95", task="short", at_most=1).kept


def test_chains_have_no_queue_wait_and_spoil_none() -> None:
    run = record(figures([50] * 10, task="chain", errors=["ValueError"], into=figures([5] * 10, waits=[1] * 10)))
    assert one(run, "queue_wait_p99", at_most=0.001).kept
    assert one(run, "queue_wait_p99", task="chain", at_most=9).value is None


def test_the_warm_up_does_not_count_and_its_losses_are_told() -> None:
    run = record(figures([9000], errors=[LOST], second=1, into=figures([10])))
    assert one(run, "end_to_end_p99", at_most=0.01).kept
    assert one(run, "error_rate", at_most=0).kept
    verdict = one(run, "lost", at_most=0)
    assert (verdict.value, verdict.kept) == (0, True)
    assert "1 in the warm-up" in verdict.note


def test_lost_ones_are_errors_and_errors_are_named() -> None:
    run = record(figures([1] * 7, errors=[LOST, "ValueError", "ValueError"]))
    assert one(run, "lost", at_most=0).value == 1
    verdict = one(run, "error_rate", at_most=0.2)
    assert (verdict.value, verdict.kept) == (0.3, False)
    assert verdict.note == f"2 ValueError, 1 {LOST}"


def test_throughput_is_good_ends_per_second_from_the_warm_up_to_the_last_arrival() -> None:
    made = figures()
    made.ended.update({0: 500, 1: 500, 2: 40, 11: 60, 12: 700, 30: 9})  # measured: seconds 2 to 11
    assert one(record(made), "throughput", at_least=10).value == 10
    assert one(record(made), "throughput", at_least=10).kept
    assert not one(record(made), "throughput", at_least=10.1).kept


def test_throughput_of_a_run_without_a_whole_measured_second_is_none() -> None:
    run = record(figures([1]), profile=profile(phases=[{"seconds": 2.5, "rate": 1}]))
    assert one(run, "throughput", at_least=0).value is None


def test_memory_is_the_peak_after_the_warm_up_and_is_held_against_what_is_reserved() -> None:
    samples = [
        Sample(-1, redis_memory=60 * MIB),
        Sample(3, redis_memory=8 * MIB, workers={"a": 50 * MIB, "b": 90 * MIB}),
        Sample(4, redis_memory=16 * MIB, workers={"a": 80 * MIB}),
    ]
    run = record(samples=samples)
    assert one(run, "redis_memory", at_most=16 * MIB).kept
    share = one(run, "redis_memory_share", at_most=0.2)
    assert (share.value, share.kept) == (0.25, False)
    assert share.note == "a fork at the peak may take 24.0 MiB of the 96.0 MiB that the rule memory-headroom reserves"
    worker = one(run, "worker_memory", at_most=64 * MIB)
    assert (worker.value, worker.note, worker.kept) == (90 * MIB, "b", False)


def test_a_deployment_that_never_drains_breaks_its_objective() -> None:
    assert one(record(drained=3.0), "drained_within", at_most=3).kept
    never = one(record(drained=None), "drained_within", at_most=1e6)
    assert (never.value, never.kept, never.note) == (None, False, "it never drained")


@pytest.mark.parametrize("measure", [name for name in MEASURES if name not in ("drained_within", "throughput")])
def test_what_nobody_measured_is_not_kept(measure: str) -> None:
    verdict = one(record(), measure, at_most=1e15)
    assert (verdict.value, verdict.kept) == (None, False)
    assert verdict.note


def test_a_share_of_no_limit_is_not_kept() -> None:
    run = record(samples=[Sample(3, redis_memory=MIB)], redis_maxmemory=0)
    verdict = one(run, "redis_memory_share", at_most=1)
    assert (verdict.kept, "no limit" in verdict.note) == (False, True)


def test_a_slow_generator_is_never_taken_for_a_slow_system() -> None:
    made = figures([1])
    made.complaint = "the generator was late"
    verdict = one(record(made), "end_to_end_p50", at_most=10)
    assert (verdict.value, verdict.kept) == (None, False)
    assert "generator was too slow" in verdict.note


def test_an_objective_without_a_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="either at_most or at_least"):
        one(record(), "lost")


def test_verdicts_survive_the_record_and_are_json_everywhere(tmp_path: Path) -> None:
    run = record(figures([1], errors=[LOST] * 9), drained=None)
    run.verdicts = judge(run, [slo("end_to_end_p95", at_most=1), slo("drained_within", at_most=1)])
    path = tmp_path / "load.json"
    run.write(path)
    assert Record.read(path).verdicts == run.verdicts

    def refuse(word: str) -> None:
        raise AssertionError(word)  # Infinity and NaN are no JSON

    json.loads(path.read_text(), parse_constant=refuse)


def test_so_far_tells_what_is_known_and_leaves_the_rest_open() -> None:
    live = {"second": 9, "ended": 95, "failed": 5, "lost": 2, "rate": 40.0, "p50": 20.0, "p95": 700.0}
    slos = [
        slo("end_to_end_p95", at_most=0.5),
        slo("error_rate", at_most=0.1),
        slo("lost", at_most=0),
        slo("throughput", at_least=30),
        slo("redis_memory_share", at_most=0.5),
        slo("drained_within", at_most=1),
        slo("end_to_end_p95", task="short", at_most=1),
    ]
    told = so_far(slos, live, [Sample(1, redis_memory=16 * MIB)], 64 * MIB)
    assert [(one.value, one.kept) for one in told] == [
        (0.7, False),
        (0.05, True),
        (2, False),
        (40, True),
        (0.25, True),
        (None, True),
        (None, True),
    ]
    assert told[-1].note == "known at the end"


def test_so_far_knows_nothing_before_the_first_task_ended() -> None:
    assert [one.value for one in so_far([slo("lost", at_most=0), slo("throughput", at_least=1)], {})] == [None, None]
