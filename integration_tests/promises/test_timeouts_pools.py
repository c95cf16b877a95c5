"""Which pool enforces which time limit: one worker of each, on a queue of its own.

gevent is not among them: the worker's image has no gevent.
"""

from __future__ import annotations

import pytest

from bench.stack import Stack
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.outcomes import Meta, outcomes, send

UNLIMITED = {"time_limit": 0, "soft_time_limit": 0}  # the rules refuse a limit that a pool ignores
pytestmark = variant(
    celery_queues=[{"name": name} for name in ("fast", "slow", "threads", "solo")],
    celery_workers=[
        {"name": "main", "queues": ["fast", "slow"], "concurrency": 2},
        {"name": "threads", "queues": ["threads"], "pool": "threads", "concurrency": 2, **UNLIMITED},
        {"name": "solo", "queues": ["solo"], "pool": "solo", "concurrency": 1, **UNLIMITED},
    ],
)
LIMIT, WORK = 0.5, 2.0  # seconds
SOFT = {"soft_time_limit": LIMIT}
HARD = {"soft_time_limit": LIMIT - 0.1, "time_limit": LIMIT}  # a hard limit counts once the soft one has passed


def held(stack: Stack, queue: str, options: dict[str, float]) -> tuple[int, Meta]:
    """Return whether a message's own limit held in the pool of a queue: 1 or 0; and how the task ended."""
    task = "probe.soft_limit" if "time_limit" not in options else "probe.hard_limit"
    ended = outcomes(stack, [send(stack, task, seconds=WORK, options={**options, "queue": queue})], WORK + 4)
    assert ended, f"{task} in {queue} has not ended"
    answer = ended[0]["result"]
    limited = answer.get("limited", False) if isinstance(answer, dict) else "TimeLimitExceeded" in repr(answer)
    return int(limited), ended[0]


@pytest.mark.parametrize("options", [SOFT, HARD], ids=["soft", "hard"])
@promise(
    "prefork-enforces-limits",
    "The prefork pool enforces both limits.",
    fault="a task that runs too long",
    settings=("celery_workers",),
    unit="limit held, of 1",
    exactly=1,
)
def test_prefork_enforces(stack: Stack, proof: Proof, options: dict[str, float]) -> None:
    figure, ended = held(stack, "fast", options)
    proof(figure, f"{ended['status']}")


@pytest.mark.parametrize("options", [SOFT, HARD], ids=["soft", "hard"])
@pytest.mark.parametrize("queue", ["threads", "solo"])
@promise(
    "other-pools-ignore-limits",
    "Known: the threads and solo pools enforce no limit, neither soft nor hard; the rules refuse to promise one.",
    fault="a task that runs too long",
    settings=("celery_workers",),
    unit="limits held, of 1",
    exactly=0,
)
def test_other_pools_ignore_limits(stack: Stack, proof: Proof, queue: str, options: dict[str, float]) -> None:
    figure, ended = held(stack, queue, options)
    proof(figure, f"{queue}: {ended['status']}, ran its {WORK:g} s with a limit of {LIMIT:g} s")
