"""Retries: after the delays that were asked for, as often as was asked, and across whatever dies meanwhile."""

from __future__ import annotations

from itertools import pairwise
from statistics import pstdev
from typing import Any

import pytest
from celery.exceptions import WorkerLostError

from bench.ledger import Ledger
from bench.stack import Stack
from drill.history import Kind
from drill.targets.containers import LIMITS
from integration_tests.promise import Proof, promise, variant
from integration_tests.waiting import wait_until

LATE = 1.5  # seconds that a retry may come after its delay: the worker's timer, and a loaded machine
LONGER = variant(None, **LIMITS)  # with the short ones a killed child may be noticed too late: rule limit-noticed


def attempts(stack: Stack, task: str, **kwargs: Any) -> list[dict[str, Any]]:
    """Run a probe that tells of its attempts."""
    found: list[dict[str, Any]] = stack.app.send_task(task, kwargs=kwargs).get(timeout=30)["attempts"]
    return found


def gaps(told: list[dict[str, Any]]) -> list[tuple[float, float, float]]:
    """Return delay asked for, longest delay, and seconds between the starts of each attempt and the next."""
    return [
        (one["delay"] or 0.0, one["backoff"], next_["started_at"] - one["started_at"]) for one, next_ in pairwise(told)
    ]


@pytest.mark.parametrize(("base", "cap"), [(0.25, 8.0), (0.5, 8.0), (1.0, 1.0)])
@promise(
    "backoff-kept",
    "A retry starts after the delay that was asked for, and not much later.",
    fault="three failures, with a delay that doubles up to a cap",
    settings=("celery_visibility_timeout", "celery_worker_eta_task_limit"),
    unit="s from the delay, at worst",
    at_most=LATE,
)
def test_a_retry_starts_after_its_delay(stack: Stack, proof: Proof, base: float, cap: float) -> None:
    told = gaps(attempts(stack, "probe.retry", failures=3, base=base, cap=cap, jitter=False))
    assert [longest for _, longest, _ in told] == [min(cap, base * 2**number) for number in range(3)]
    assert all(took >= delay - 0.05 for delay, _, took in told), told
    proof(max(took - delay for delay, _, took in told))


@promise(
    "jitter-spreads",
    "With jitter, retries of many tasks are spread over the delay instead of coming at once.",
    fault="20 tasks that fail together, delays drawn from 0 to 2 s",
    settings=("celery_visibility_timeout",),
    unit="s of standard deviation",
    at_least=0.25,
)
def test_jitter_spreads_retries(stack: Stack, proof: Proof) -> None:
    kwargs = {"failures": 1, "base": 2.0, "cap": 2.0, "jitter": True}
    results = [stack.app.send_task("probe.retry", kwargs=kwargs) for _ in range(20)]
    told = [gaps(result.get(timeout=15)["attempts"])[0] for result in results]
    assert all(delay <= longest for delay, longest, _ in told)
    assert all(took >= delay - 0.05 for delay, _, took in told)
    proof(pstdev([took for _, _, took in told]))


@promise(
    "autoretry-backoff",
    "A task with autoretry_for is retried on that exception, within the backoff that it asks for.",
    fault="two failures of the listed exception",
    settings=("celery_visibility_timeout",),
    unit="s beyond the longest delay",
    at_most=LATE,
)
def test_autoretry_keeps_its_backoff(stack: Stack, proof: Proof) -> None:
    told = gaps(attempts(stack, "probe.autoretry", failures=2))
    assert len(told) == 2
    proof(max(0.0, *(took - longest for _, longest, took in told)))


@promise(
    "autoretry-listed-only",
    "An exception that is not listed is not retried.",
    fault="a failure of another kind",
    settings=("celery_task_track_started",),
    unit="retries",
    exactly=0,
)
def test_an_exception_that_is_not_listed_is_not_retried(stack: Stack, proof: Proof) -> None:
    result = stack.app.send_task("probe.autoretry", kwargs={"failures": 99})
    with pytest.raises(Exception, match="above the limit of 10"):
        result.get(timeout=10)
    proof(int((result.info and getattr(result, "retries", 0)) or 0))


@pytest.mark.parametrize("failures", [1, 3])
@promise(
    "retries-counted",
    "A task is tried as often as it fails, and once more; its attempts are told apart.",
    fault="a task that fails some times",
    settings=("celery_task_acks_late",),
    unit="attempts missing or too many",
    exactly=0,
)
def test_attempts_are_counted(stack: Stack, ledger: Ledger, proof: Proof, failures: int) -> None:
    ledger.send(5, failures=failures)
    verdict = ledger.judge(15)
    assert not verdict.lost
    assert not verdict.duplicated
    proof(abs(len(ledger.started()) - 5 * (failures + 1)))


@promise(
    "max-retries-end",
    "A task that fails more often than it may be retried ends as failed, and is not tried again.",
    fault="a task that always fails, with one retry left",
    settings=("celery_task_store_errors_even_if_ignored",),
    unit="attempts beyond those allowed",
    exactly=0,
)
def test_retries_come_to_an_end(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    entry = f"{ledger.prefix}-hopeless"
    # The task allows itself ten retries; nine are behind it.
    result = stack.app.send_task("probe.record", kwargs={"entry": entry, "failures": 11}, retries=9)
    with pytest.raises(Exception, match="failure 11"):
        result.get(timeout=15)
    assert result.state == "FAILURE"
    proof(len(ledger.started()) - 2)


@pytest.mark.parametrize("fault", ["worker restarted", "worker killed", "Redis killed"])
@promise(
    "retry-survives",
    "A retry that is pending survives a restart or a kill of its worker, and a kill of Redis.",
    fault="a warm restart, kill -9 of the worker's container, kill -9 of Redis, while retries wait",
    settings=("celery_task_acks_late", "celery_visibility_timeout", "redis_appendonly"),
    unit="tasks lost",
    exactly=0,
)
def test_a_pending_retry_survives(stack: Stack, ledger: Ledger, proof: Proof, fault: str) -> None:
    kwargs = {"failures": 1, "base": 2.0, "cap": 2.0, "jitter": False}
    results = [stack.app.send_task("probe.retry", kwargs=kwargs) for _ in range(5)]
    wait_until("all wait for their retry", lambda: all(result.state == "RETRY" for result in results), 10)
    if fault == "worker restarted":
        stack.worker.stop()
        stack.worker.start()
    elif fault == "worker killed":
        stack.worker.kill()
        stack.worker.start()
    else:
        stack.redis.kill()
        stack.redis.start()
        stack.await_redis()
    done = 0
    for result in results:
        done += len(result.get(timeout=30)["attempts"]) >= 1
    proof(5 - done, fault)


@LONGER
@promise(
    "poison-capped",
    "A task that kills its child each time is given up after its retries, instead of taking the pool down for ever.",
    fault="a task that kills its child ten times",
    settings=("celery_task_retry_on_worker_lost", "celery_task_reject_on_worker_lost"),
    unit="children lost",
    at_most=4,
)
def test_a_poison_task_is_given_up(stack: Stack, proof: Proof) -> None:
    before = stack.worker.logs().count("exited with 'signal 9")
    result = stack.app.signature("probe.crash", kwargs={"times": 10}).apply_async()
    with pytest.raises(WorkerLostError):
        result.get(timeout=25)
    assert stack.app.send_task("probe.add", (1, 2)).get(timeout=10) == 3, "the pool goes on"
    proof(stack.worker.logs().count("exited with 'signal 9") - before)


@LONGER
@promise(
    "child-killed-runs-again",
    "A task whose pool child is killed runs again.",
    fault="kill -9 of the child that runs it",
    settings=("celery_task_reject_on_worker_lost", "celery_task_retry_on_worker_lost", "celery_task_acks_late"),
    unit="tasks lost",
    exactly=0,
)
def test_a_task_whose_child_is_killed_runs_again(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(2, seconds=1)
    ledger.await_started(2)
    for event in [event for event in ledger.history if event.kind is Kind.STARTED]:
        stack.worker.signal(event.detail["pid"])
    verdict = ledger.judge(20)
    proof(len(verdict.lost), f"{len(verdict.duplicated)} ran again")
