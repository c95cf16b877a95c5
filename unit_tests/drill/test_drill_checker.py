"""What was lost, ran twice, came late or out of order is found, and laid to the right fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.checker import judge
from drill.history import Event, Kind
from drill.verdict import Duplicate, Latency, Lost
from unit_tests.drill.runs import event, fault, ran, sent


def test_of_an_empty_history_nothing_is_said() -> None:
    verdict = judge([])
    assert (verdict.submitted, verdict.lost, verdict.faults) == (0, (), ())
    assert verdict.latency == Latency(0, 0, 0, 0, 0)
    assert str(verdict) == "0 submitted, 0 acknowledged, 0 in doubt (0 ran), 0 lost, 0 duplicated, 0 phantom"


def test_a_run_without_a_fault_is_clean() -> None:
    verdict = judge([*sent("a", 1), *ran("a", 1.1, 1.2), *sent("b", 2), *ran("b", 2.1, 2.2)])
    assert (verdict.submitted, verdict.acknowledged, verdict.started, verdict.finished) == (2, 2, 2, 2)
    assert (verdict.lost, verdict.duplicated, verdict.phantom, verdict.doubtful) == ((), (), (), ())


def test_what_was_acknowledged_and_not_finished_is_lost_on_the_way_or_in_a_worker() -> None:
    verdict = judge([*sent("on-the-way", 1), *sent("in-a-worker", 1), *ran("in-a-worker", 2)])
    assert verdict.lost == (Lost("in-a-worker", True, None), Lost("on-the-way", False, None))


def test_a_run_that_failed_for_good_is_no_finish() -> None:
    verdict = judge([*sent("a", 1), *ran("a", 2, 3, end="failed")])
    assert (verdict.lost, verdict.failures) == ((Lost("a", True, None),), 1)


def test_a_loss_is_laid_to_the_fault_nearest_to_the_last_sign_of_life() -> None:
    faults = [*fault("kill-1", 0, 1), *fault("kill-2", 3, 4), *fault("kill-3", 6, 7)]
    history = [*faults, *sent("a", 2), *sent("b", 2), *ran("b", 5), *sent("c", 3.5), *sent("d", 8)]
    verdict = judge(history)
    assert {loss.entry: loss.fault for loss in verdict.lost} == {"a": "kill-2", "b": "kill-3", "c": "kill-2", "d": None}
    assert [fault.lost for fault in verdict.faults] == [0, 2, 1]


def test_a_loss_after_the_heal_is_laid_to_the_aftermath_unless_the_next_fault_is_nearer() -> None:
    history = [*fault("kill-1", 0, 1), *fault("kill-2", 10, 11), *sent("a", 2), *sent("b", 9), *sent("c", 10.5)]
    laid = {loss.entry: loss.fault for loss in judge(history, aftermath=20).lost}
    assert laid == {"a": "kill-1", "b": "kill-2", "c": "kill-2"}


def test_a_loss_is_not_laid_to_a_fault_that_began_after_later_entries_had_run() -> None:
    """The queue is first in, first out: what is missing had been taken by then."""
    faults = [*fault("cut-1", 0, 2), *fault("away-2", 15, 16)]
    lost, later = sent("lost", 10), [*sent("later", 11), *ran("later", 11.1, 11.2)]
    assert [loss.fault for loss in judge([*faults, *lost], aftermath=20).lost] == ["away-2"]
    assert [loss.fault for loss in judge([*faults, *lost, *later], aftermath=20).lost] == ["cut-1"]
    elsewhere = [*sent("later", 11, queue="other"), *ran("later", 11.1, 11.2)]
    assert [loss.fault for loss in judge([*faults, *lost, *elsewhere], aftermath=20).lost] == ["away-2"]


def test_of_faults_that_were_in_force_together_the_last_that_began_is_blamed_for_a_loss() -> None:
    history = [*fault("slow", 0, 20), *fault("kill", 5, 6), *fault("cut", 9), *sent("a", 5.5), *sent("b", 8)]
    assert {loss.entry: loss.fault for loss in judge(history).lost} == {"a": "kill", "b": "slow"}


def test_a_message_that_comes_back_after_many_faults_is_laid_to_the_one_that_ended_its_first_run() -> None:
    """The visibility timeout may be longer than a drill."""
    faults = [*fault("kill-1", 10, 11), *fault("kill-2", 20, 21), *fault("kill-3", 30, 31)]
    (double,) = judge([*faults, *sent("a", 12), *ran("a", 19.9), *ran("a", 320, 321)], aftermath=350).duplicated
    assert double.fault == "kill-2"


def test_a_second_start_is_laid_to_a_fault_that_lay_between_the_two() -> None:
    faults = [*fault("kill-1", 2, 2.5), *fault("kill-2", 4, 4.5), *fault("kill-3", 9, 9.5)]
    history = [*faults, *sent("a", 1), *ran("a", 3), *ran("a", 6, 7), *sent("b", 1), *ran("b", 1.5), *ran("b", 3, 4)]
    verdict = judge(history)
    assert verdict.duplicated == (Duplicate("a", 6, "kill-2"), Duplicate("b", 3, "kill-1"))
    assert [fault.duplicated for fault in verdict.faults] == [1, 1, 0]
    assert not verdict.lost


def test_a_fault_that_had_begun_before_the_first_start_is_blamed_while_it_lasts() -> None:
    twice = [*sent("a", 1), *ran("a", 3, 3.1), *ran("a", 6, 6.1)]
    assert judge([*fault("cut", 2, 4), *twice]).duplicated == (Duplicate("a", 6, "cut"),)
    assert judge([*fault("cut", 2), *twice]).duplicated == (Duplicate("a", 6, "cut"),)
    assert judge([*fault("cut", 2, 2.5), *twice]).duplicated == (Duplicate("a", 6, None),)
    assert judge([*fault("cut", 2, 2.5), *twice], aftermath=1).duplicated == (Duplicate("a", 6, "cut"),)


def test_every_start_beyond_the_first_counts() -> None:
    assert len(judge([*sent("a", 1), *ran("a", 2), *ran("a", 3), *ran("a", 4, 5)]).duplicated) == 2


def test_a_retry_that_a_failed_run_asked_for_is_no_duplicate_but_its_repetition_is() -> None:
    retried = [*sent("a", 1), *ran("a", 2, 2.1, end="failed"), *ran("a", 3, 3.1, retries=1)]
    assert judge(retried).duplicated == ()
    assert judge([*retried, *ran("a", 4, 4.1, retries=1)]).duplicated == (Duplicate("a", 4, None),)
    assert judge([*retried, *ran("a", 2.5, 2.6)]).duplicated == (Duplicate("a", 2.5, None),)


def test_a_retry_that_no_run_asked_for_is_a_duplicate() -> None:
    """A killed child's message comes back with one retry more where `task_retry_on_worker_lost` is set."""
    assert judge([*sent("a", 1), *ran("a", 2), *ran("a", 3, 4, retries=1)]).duplicated == (Duplicate("a", 3, None),)


def test_what_nobody_submitted_is_a_phantom_and_not_lost() -> None:
    verdict = judge([*ran("started", 1), *ran("finished", 1, 2)])
    assert (verdict.phantom, verdict.lost, verdict.latency.count) == (("finished", "started"), (), 0)


def test_a_publish_that_raised_is_in_doubt_whether_it_ran_or_not() -> None:
    raised = [
        event(at, kind, entry, error="ConnectionError")
        for entry in ("ran", "not")
        for at, kind in ((1, "submitted"), (2, "doubtful"))
    ]
    verdict = judge([*raised, *ran("ran", 1.5, 1.6)])
    assert (verdict.doubtful, verdict.doubtful_ran) == (("not", "ran"), ("ran",))
    assert (verdict.lost, verdict.phantom, verdict.acknowledged) == ((), (), 0)


def test_a_publish_that_never_returned_is_in_doubt_too() -> None:
    assert judge([event(1, "submitted", "a")]).doubtful == ("a",)


def test_late_counts_from_the_intended_submit() -> None:
    history = [
        event(5, "submitted", "a", intended=1),
        event(5.1, "acknowledged", "a"),
        *ran("a", 5.2, 6),
        *sent("b", 5),
        *ran("b", 5.2, 6),
    ]
    verdict = judge(history, late_after=4)
    assert (verdict.late, verdict.latency, verdict.sender_lag) == (("a",), Latency(2, 1, 5, 5, 5), 4)
    assert judge(history).late == ()


def test_percentiles_are_latencies_that_occurred() -> None:
    history = [one for n in range(1, 201) for one in (*sent(f"{n}", 0), *ran(f"{n}", 0.1, n))]
    assert judge(history).latency == Latency(200, 100, 190, 198, 200)


def test_an_entry_that_a_later_one_overtook_is_reordered() -> None:
    history = [
        *sent("a", 1, queue="one"),
        *sent("b", 2, queue="one"),
        *sent("c", 3, queue="other"),
        *ran("c", 4, 5),
        *ran("b", 6, 7),
        *ran("a", 8, 9),
    ]
    assert judge(history, ordered=["one"]).reordered == ("a",)
    assert judge(history, ordered=["other"]).reordered == ()
    assert judge(history).reordered == ()


def test_submits_that_overlap_have_no_order() -> None:
    overlapping = [
        event(at, kind, entry, queue="one")
        for entry in "ab"
        for at, kind in ((1 if entry == "a" else 1.5, "submitted"), (2, "acknowledged"))
    ]
    assert judge([*overlapping, *ran("b", 3, 4), *ran("a", 5, 6)], ordered=["one"]).reordered == ()


def test_recovery_is_the_first_finish_of_what_was_submitted_after_the_fault_began() -> None:
    before = [*sent("before", 9), *ran("before", 9.1, 12)]
    (found,) = judge([*before, *fault("kill-1", 10, 13), *sent("after", 11), *ran("after", 14, 15)]).faults
    assert (found.id, found.name, found.recovered, found.recovered_after_heal) == ("kill-1", "kill", 5, 2)


def test_what_ran_before_the_fault_was_in_force_is_no_recovery_from_it() -> None:
    early = [*sent("early", 11), *ran("early", 11.5, 12)]
    (found,) = judge([*fault("cut", 10, 13), *early, *sent("after", 12), *ran("after", 14, 15)]).faults
    assert (found.recovered, found.recovered_after_heal) == (2, 2)
    (found,) = judge([*fault("cut", 10, 13), *early]).faults
    assert (found.recovered, found.recovered_after_heal) == (2, None)


def test_where_nothing_ran_after_a_fault_there_is_no_recovery() -> None:
    (found,) = judge([*sent("a", 1), *ran("a", 1.1, 11), *fault("kill", 10, 13), *sent("b", 12)]).faults
    assert (found.recovered, found.recovered_after_heal, found.lost) == (None, None, 1)


def test_a_fault_that_was_not_healed_has_no_time_after_it() -> None:
    (found,) = judge([*fault("kill", 10), *sent("a", 11), *ran("a", 11, 12)]).faults
    assert (found.healed, found.recovered, found.recovered_after_heal) == (None, 2, None)


def test_latency_through_a_fault_is_of_the_entries_that_were_on_their_way() -> None:
    entries = {"before": (1, 2), "into": (9, 12), "within": (10.5, 11), "out": (12, 15), "after": (14, 15)}
    history = [one for entry, (begin, end) in entries.items() for one in (*sent(entry, begin), *ran(entry, end, end))]
    (found,) = judge([*history, *fault("kill", 10, 13)]).faults
    assert found.latency == Latency(3, 3, 3, 3, 3)


def test_two_faults_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="'kill' began twice: give each fault an id of its own"):
        judge([*fault("kill", 1, 2), *fault("kill", 3, 4)])


SECONDS = st.integers(0, 20).map(float)
TASKS = sorted(set(Kind) - {Kind.FAULT, Kind.HEALED})
TASK_EVENTS = st.builds(
    Event,
    SECONDS,
    st.sampled_from(TASKS),
    st.sampled_from("abcdef"),
    st.fixed_dictionaries({"retries": st.integers(0, 2), "queue": st.just("one"), "intended": SECONDS}),
)
FAULT_EVENTS = st.lists(st.tuples(st.sampled_from("xyz"), SECONDS, SECONDS | st.none()), unique_by=lambda one: one[0])
HISTORIES = st.builds(
    lambda events, faults: [*events, *(one for told in faults for one in fault(*told))],
    st.lists(TASK_EVENTS),
    FAULT_EVENTS,
)


@given(HISTORIES, st.randoms(use_true_random=False))
def test_the_order_of_the_lines_does_not_matter(history: list[Event], chance: st.DataObject) -> None:
    shuffled = list(history)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert judge(history, ordered=["one"], late_after=3) == judge(shuffled, ordered=["one"], late_after=3)


@given(HISTORIES)
def test_every_entry_has_exactly_one_fate(history: list[Event]) -> None:
    def entries(*kinds: Kind) -> set[str]:
        return {one.entry for one in history if one.kind in kinds}

    verdict = judge(history)
    acknowledged, finished = entries(Kind.ACKNOWLEDGED), entries(Kind.FINISHED)
    lost = {loss.entry for loss in verdict.lost}
    assert lost | (finished & acknowledged) == acknowledged
    assert not lost & finished
    assert verdict.acknowledged + len(verdict.doubtful) == verdict.submitted
    fates = [acknowledged, set(verdict.doubtful), set(verdict.phantom)]
    assert sum(map(len, fates)) == len(set.union(*fates))
    ran = entries(Kind.STARTED, Kind.FINISHED, Kind.FAILED)
    assert ran <= set.union(*fates)


@given(HISTORIES)
def test_blame_falls_on_a_fault_that_had_begun_and_is_counted_once(history: list[Event]) -> None:
    verdict = judge(history)
    began = {found.id: found.began for found in verdict.faults}
    assert all(began[double.fault] <= double.at for double in verdict.duplicated if double.fault)
    blamed = [loss.fault for loss in verdict.lost] + [double.fault for double in verdict.duplicated]
    assert len(blamed) - blamed.count(None) == sum(found.lost + found.duplicated for found in verdict.faults)


@given(HISTORIES, SECONDS)
def test_one_more_start_is_one_more_duplicate(history: list[Event], at: float) -> None:
    first = ran("a", 0.0)
    before = judge([*history, *first])
    after = judge([*history, *first, event(at + 0.5, "started", "a", retries=0)])
    assert len(after.duplicated) == len(before.duplicated) + 1
