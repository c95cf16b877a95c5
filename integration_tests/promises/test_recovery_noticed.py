"""Recovery: who talks to a Redis that does not answer notices it, in time: a worker, and who waits for a result."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import pytest
from celery.result import AsyncResult

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises import harm
from integration_tests.promises.harm import Harm
from integration_tests.promises.outcomes import own_client
from integration_tests.waiting import pass_time, wait_until

ENDLESS = Mutation(
    "a result is asked for without end", "*/etc/celery/celeryconfig.py", r"^result_backend_max_retries = .*\n", ""
)
COUNTED_BY_KOMBU = Mutation(
    "what is not acknowledged takes a slot",
    "*/compose.yml",
    r'"--prefetch-multiplier", "100", "--disable-prefetch"',
    '"--prefetch-multiplier", "1"',
)
NO_ACK = "Couldn't ack"  # so a worker says it (kombu 5.7, message.py)
GIVEN_UP = 15.0  # seconds: the task, an answer that does not come, a connection that does not come about
WAIT = 2.0  # seconds that a client waits for a result
# Of the tasks whose results are waited for. A soft limit that struck while a child handed its result to a worker that was
# busy connecting broke the worker, once: docs/runbooks/trouble.md.
LIMIT = 30.0  # seconds
PATIENCE = 12.0  # seconds after which something counts as never


@variant(
    celery_workers=[{"name": "main", "queues": ["fast", "slow"], "concurrency": 1}],
    celery_socket_timeout=2,
    celery_transport="redis",
    # Nothing else shall meet the silence first: the worker would wait in it, and acknowledge nothing (decision 021).
    celery_heartbeat=False,
    celery_unacked_restore_interval=60,
)
@promise(
    "slots-outlive-silence",
    "A worker that could not acknowledge what it ran, because its broker was silent, takes tasks again afterwards.",
    fault="packets dropped without a word while every slot of a worker runs a task",
    settings=("celery_worker_prefetch_multiplier", "celery_task_acks_late", "celery_socket_timeout"),
    unit="s until a new task has finished",
    at_most=10,
    mutations=(COUNTED_BY_KOMBU,),
)
def test_slots_outlive_silence(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    (first,) = ledger.send()
    wait_until("the worker is past its start", lambda: first in ledger.finished(), PATIENCE)
    (held,) = ledger.send(seconds=1)
    wait_until("it runs a task", lambda: held in ledger.started(), PATIENCE)
    heal = harm.cut_off(stack)
    try:
        wait_until("an acknowledgement has failed", lambda: NO_ACK in stack.worker.logs(), GIVEN_UP)
    finally:
        heal()
    (new,) = ledger.send()
    proof(until(lambda: new in ledger.finished()))


def until(true: Callable[[], bool]) -> float:
    """Return how many seconds it takes until something is true, at most those of our patience."""
    began = time.monotonic()
    with contextlib.suppress(AssertionError):
        wait_until("it", true, PATIENCE)
    return time.monotonic() - began


class Waiter:
    """Somebody who waits for a result in a thread of his own, which may hang."""

    def __init__(self, result: AsyncResult) -> None:
        """Begin to wait."""
        self.told = "nothing"
        self._result = result
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        try:
            self.told = f"the result {self._result.get(timeout=WAIT)}"
        except Exception as error:  # whatever class: it is told, and that in time
            self.told = f"that there is none: {type(error).__name__}"

    def done(self) -> bool:
        """Return whether he waits no more."""
        return not self._thread.is_alive()


@pytest.fixture
def results(stack: Stack) -> Callable[[float], AsyncResult]:
    """Sends a task that lasts so many seconds, from a client as deployed that gives Redis one second for an answer."""
    client = own_client(stack)
    client.conf.update(redis_socket_timeout=1, redis_socket_connect_timeout=1)
    return lambda seconds: client.send_task("probe.sleep", (seconds,), soft_time_limit=LIMIT, time_limit=2 * LIMIT)


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [(harm.killed, 0), (harm.killed, 3), (harm.disconnected, 0), (harm.standing_still, 3)],
    ids=lambda value: value.__name__ if callable(value) else f"{value}s",
)
@promise(
    "waiter-told",
    "Who waits for a result while Redis goes away is told it, or in time that there is none; and hears of the next.",
    fault="Redis killed, disconnected or frozen under a waiting get(timeout=2)",
    settings=("celery_result_backend_max_retries", "redis_appendonly"),
    unit="s that get(timeout=2) takes",
    at_most=8,
)
def test_a_waiter_is_told(
    stack: Stack, results: Callable[[float], AsyncResult], proof: Proof, fault: Harm, seconds: float
) -> None:
    waiter = Waiter(results(1))
    pass_time(0.3)  # let it subscribe
    began = time.monotonic()
    heal = fault(stack)
    pass_time(seconds)
    heal()
    wait_until("the waiter", waiter.done, PATIENCE)
    took = time.monotonic() - began
    stack.await_redis()
    stack.await_workers()
    assert results(0).get(timeout=5), "the same client hears of the next"
    proof(took, f"told {waiter.told}")


@promise(
    "waiter-not-hung",
    "Who asks a Redis that does not answer for a result is told so: nobody hangs.",
    fault="get(timeout=2) of a frozen Redis",
    settings=("celery_socket_timeout", "celery_result_backend_max_retries"),
    unit="s that get(timeout=2) takes",
    at_most=8,
    mutations=(ENDLESS,),
)
def test_a_waiter_does_not_hang(stack: Stack, results: Callable[[float], AsyncResult], proof: Proof) -> None:
    result = results(0.5)
    heal = harm.standing_still(stack)
    waiter = Waiter(result)
    took = until(waiter.done)
    heal()
    proof(took, f"told {waiter.told}")
