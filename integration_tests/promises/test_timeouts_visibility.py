"""The visibility timeout: what is held for less runs once; what is held for longer runs twice."""

from __future__ import annotations

import pytest

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise
from integration_tests.promises.delivery import STOCK
from integration_tests.promises.short import SHORT, VISIBILITY

TOO_SHORT = Mutation(
    "visibility timeout too short",
    "*/etc/celery/celeryconfig.py",
    r'^(visibility_timeout = |    "visibility_timeout": )8',
    r"\g<1>1",
)
pytestmark = STOCK
ETA, RUN = {"countdown": 4}, {"seconds": 2.5}


def ran_more_than_once(ledger: Ledger, seconds: float) -> int:
    """Wait until all that was sent has finished; return how many tasks were started twice or more."""
    assert ledger.drain(seconds)
    started = ledger.started()
    return sum(started.count(entry) > 1 for entry in set(started))


@promise(
    "below-visibility-runs-once",
    "An ETA and a run that are shorter than the visibility timeout run once.",
    fault="none",
    settings=("celery_visibility_timeout", "celery_task_time_limit", "celery_longest_eta"),
    unit="of 2 tasks ran twice",
    exactly=0,
    mutations=(TOO_SHORT,),
)
def test_held_below_the_timeout(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(1, **ETA)
    ledger.send(1, **RUN)
    proof(ran_more_than_once(ledger, 10), "ETA 4 s, run 2.5 s, visibility timeout 8 s")


@SHORT
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"countdown": 5}, id="ETA"),
        pytest.param({"seconds": 5, "time_limit": 20, "soft_time_limit": 19}, id="run"),
    ],
)
@promise(
    "above-visibility-runs-twice",
    "Known: an ETA or a run that is longer than the visibility timeout runs twice.",
    fault="none",
    settings=("celery_visibility_timeout", "celery_longest_eta", "celery_task_time_limit"),
    unit="of 1 task ran twice",
    exactly=1,
)
def test_held_above_the_timeout(stack: Stack, ledger: Ledger, proof: Proof, options: dict[str, float]) -> None:
    ledger.send(1, **options)
    proof(ran_more_than_once(ledger, 15), f"5 s, visibility timeout {VISIBILITY} s")
