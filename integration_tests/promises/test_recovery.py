"""Recovery: Redis goes away in every way it can; work goes on by itself, and nothing is lost but what the transport loses."""

from __future__ import annotations

import pytest

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise
from integration_tests.promises import harm
from integration_tests.promises.delivery import STOCK
from integration_tests.promises.harm import GAP, Harm, felt, through

KOMBUS_OWN = Mutation(
    "channels close as kombu closes them", "*/etc/celery/celeryconfig.py", r"^import closed_channels .*\n", ""
)
KILLS = 6  # thirty of them are a drill: docs/promises.md


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (harm.killed, 0),
        (harm.killed, 3),
        (harm.stopped, 1),
        (harm.standing_still, 1),
        (harm.standing_still, 7),  # longer than celery_socket_timeout
        (harm.refusing, 2),
        (harm.worker_refused, 2),
        (harm.disconnected, 0),
        (harm.slow, 3),
        (harm.password_added, 1),
    ],
    ids=lambda value: value.__name__ if callable(value) else f"{value}s",
)
@promise(
    "consumed-again",
    "After Redis was away, tasks are consumed again within seconds and without a person; at most one is lost.",
    fault="Redis killed, stopped, frozen, refused, disconnected, slow; a second password",
    settings=("celery_socket_timeout", "celery_health_check_interval", "celery_mingle", "redis_appendonly"),
    unit="s after it is back",
    at_most=10,
)
def test_tasks_are_consumed_again(stack: Stack, ledger: Ledger, proof: Proof, fault: Harm, seconds: float) -> None:
    proof(*felt(through(stack, ledger, fault, seconds), GAP))


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [(harm.cut_off, 3), (harm.cut_off, 7), (harm.worker_cut_off, 7), (harm.vanished, 2)],
    ids=lambda value: value.__name__ if callable(value) else f"{value}s",
)
@promise(
    "silence-noticed",
    "A peer that says nothing is noticed, and tasks are consumed again when it is back.",
    fault="packets dropped without a word, on the side of Redis or of the worker; Redis dies meanwhile",
    settings=("celery_socket_timeout", "celery_socket_keepalive", "celery_health_check_interval"),
    unit="s after it is back",
    at_most=15,
)
def test_silence_is_noticed(stack: Stack, ledger: Ledger, proof: Proof, fault: Harm, seconds: float) -> None:
    proof(*felt(through(stack, ledger, fault, seconds), GAP))


@promise(
    "consumed-again-median",
    "After kill -9 of Redis tasks are consumed again within three seconds, mostly, and never after more than ten.",
    fault=f"kill -9 of Redis, {KILLS} times, started at once",
    settings=("celery_mingle", "celery_socket_timeout", "redis_appendonly"),
    unit="s, the median",
    at_most=3,
)
def test_tasks_are_consumed_soon_after_a_kill(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    proof(*harm.soon(stack, ledger, KILLS, GAP))


@STOCK
@promise(
    "worker-outlives-loss",
    "A worker that loses its connection while it runs a task connects again: none of its processes ends.",
    fault="kill -9 of Redis, started at once, while a task runs",
    settings=("celery_transport", "celery_task_acks_late"),
    unit="workers that ended",
    exactly=0,
    mutations=(KOMBUS_OWN,),
)
def test_a_worker_outlives_the_loss_of_its_connection(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    proof(harm.ended_by_a_kill(stack, ledger))
