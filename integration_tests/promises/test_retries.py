"""Retries: when they come, how many there are, and which errors ask for one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.outcomes import Meta, outcomes, send

CAPS = {"probe.retry": 3, "probe.record": 3, "probe.autoretry": 1}
pytestmark = variant(
    # One child: with several, a retry without delay may end before its first run has written RETRY over its answer.
    celery_workers=[{"name": "main", "queues": ["fast", "slow"], "concurrency": 1}],
    celery_extra_config={"task_annotations": {task: {"max_retries": cap} for task, cap in CAPS.items()}},
)

MANY = 30  # tasks: that so many draws of a jitter fall into one half has a chance of 2 in a billion
LATE = 2.0  # seconds that a retry may be behind its time, on a machine that does other things, too
SHORT_CAP = Mutation("max_retries not as set", "*/etc/celery/celeryconfig.py", r"'max_retries': 3", "'max_retries': 2")


def attempts(meta: Meta) -> list[dict[str, Any]]:
    """Return what a task of probe.retry or probe.autoretry tells of its attempts."""
    assert meta["status"] == "SUCCESS", meta
    found: list[dict[str, Any]] = meta["result"]["attempts"]
    return found


def waits(metas: list[Meta]) -> Iterator[tuple[dict[str, Any], float]]:
    """Yield each attempt that failed, and the seconds from its start to that of the next."""
    for meta in metas:
        for this, following in pairwise(attempts(meta)):
            yield this, following["started_at"] - this["started_at"]


@pytest.mark.parametrize(
    ("base", "cap", "expected"),
    [
        pytest.param(0.3, 60.0, [0.3, 0.6, 1.2], id="doubled"),
        pytest.param(0.5, 0.6, [0.5, 0.6, 0.6], id="capped"),
    ],
)
@promise(
    "retry-backoff",
    "A retry with exponential backoff comes when it should: never early, and hardly late.",
    fault="none",
    settings=(),
    unit="s off at worst",
    at_least=0,
    at_most=LATE,
)
def test_backoff(stack: Stack, proof: Proof, base: float, cap: float, expected: list[float]) -> None:
    sent = [send(stack, "probe.retry", failures=3, base=base, cap=cap, jitter=False)]
    seen = [wait for _, wait in waits(outcomes(stack, sent, 10))]
    off = [wait - asked for wait, asked in zip(seen, expected, strict=True)]
    proof(max(off) if min(off) >= 0 else min(off), f"waits of {', '.join(f'{wait:.2f}' for wait in seen)} s")


@promise(
    "retry-jitter-bounds",
    "Jitter draws no more than the backoff, and no retry comes before the time that was drawn.",
    fault="none",
    settings=(),
    unit="retries out of bounds",
    exactly=0,
)
def test_jitter_stays_within_the_backoff(stack: Stack, proof: Proof) -> None:
    sent = [send(stack, "probe.retry", failures=1, base=1.0) for _ in range(MANY)]
    seen = list(waits(outcomes(stack, sent, 15)))
    good = [wait for this, wait in seen if 0 <= this["delay"] <= 1.0 and this["delay"] <= wait]
    proof(MANY - len(good), f"of {MANY}, waits of {min(good, default=0):.2f} to {max(good, default=0):.2f} s")


@promise(
    "retry-jitter-spread",
    "Jitter spreads the retries of tasks that failed together: they do not come back as one herd.",
    fault="none",
    settings=(),
    unit="s between the shortest and the longest delay",
    at_least=0.5,
)
def test_jitter_spreads(stack: Stack, proof: Proof) -> None:
    sent = [send(stack, "probe.retry", failures=1, base=1.0) for _ in range(MANY)]
    drawn = [this["delay"] for this, _ in waits(outcomes(stack, sent, 15))]
    proof(max(drawn) - min(drawn) if len(drawn) == MANY else 0, f"{MANY} tasks, backoff 1 s")


@promise(
    "autoretry-jitter",
    "Celery's own jitter draws whole seconds up to retry_backoff, and no retry comes before the time that was drawn.",
    fault="none",
    settings=(),
    unit="different delays, 0 and 1 s",
    exactly=2,
)
def test_autoretry_backs_off(stack: Stack, proof: Proof) -> None:
    sent = [send(stack, "probe.autoretry", failures=1) for _ in range(MANY)]
    seen = [wait for _, wait in waits(outcomes(stack, sent, 15))]
    said = re.findall(r"probe\.autoretry\[(.+?)\] retry: Retry in (\d+)s", stack.worker.logs())
    drawn = sorted(int(seconds) for task, seconds in said if task in sent)
    early = [wait for wait, delay in zip(sorted(seen), drawn, strict=False) if wait < delay]
    good = len(seen) == len(drawn) == MANY and not early and set(drawn) <= {0, 1}
    proof(len(set(drawn)) if good else 0, f"{MANY} tasks, {drawn.count(0)} at once, {len(early)} early")


@pytest.mark.parametrize("task", ["probe.retry", "probe.autoretry"])
@promise(
    "retry-cap",
    "A task that fails for ever is retried max_retries times, and then has failed.",
    fault="a task that always fails",
    settings=("celery_extra_config",),
    unit="retries more than max_retries",
    exactly=0,
)
def test_retries_are_capped(stack: Stack, proof: Proof, task: str) -> None:
    options: dict[str, Any] = {"base": 0.1, "cap": 0.1} if task == "probe.retry" else {}
    (meta,) = outcomes(stack, [send(stack, task, failures=10, **options)], 10) or [{"status": "none"}]
    proof(meta.get("retries", 0) - CAPS[task], f"max_retries {CAPS[task]}, then {meta['status']}")


@promise(
    "retry-cap-runs",
    "A task that fails for ever runs max_retries times and once: counted where it runs, not where it tells.",
    fault="a task that always fails",
    settings=("celery_extra_config",),
    unit="runs",
    exactly=1 + CAPS["probe.record"],
    mutations=(SHORT_CAP,),
)
def test_runs_are_capped(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    entry = f"{ledger.prefix}-capped"
    sent = str(ledger.publish(entry, failures=10, ignore_result=False).id)
    ended = outcomes(stack, [sent], 10)
    proof(ledger.started().count(entry), f"max_retries 3, then {ended[0]['status'] if ended else 'no end'}")


@pytest.mark.parametrize(
    ("task", "arguments", "retries"),
    [
        pytest.param("probe.autoretry", {"failures": 1}, 1, id="listed"),
        pytest.param("probe.autoretry", {"failures": "many"}, 0, id="not listed"),
        pytest.param("probe.fail", {}, 0, id="task lists none"),
    ],
)
@promise(
    "autoretry-by-exception",
    "autoretry_for retries the exceptions that it lists, and no other.",
    fault="a task that raises",
    settings=(),
    unit="retries more or fewer than that",
    exactly=0,
)
def test_autoretry_by_exception(stack: Stack, proof: Proof, task: str, arguments: dict[str, Any], retries: int) -> None:
    (meta,) = outcomes(stack, [send(stack, task, **arguments)], 10) or [{"status": "none"}]
    seen = int(meta.get("retries") or 0) if meta["status"] in ("SUCCESS", "FAILURE") else 99
    proof(abs(seen - retries), f"{seen} retries, then {meta['status']}")
