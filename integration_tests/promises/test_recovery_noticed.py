"""Recovery: who talks to a Redis that does not answer notices it, in time: a worker, and who waits for a result."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable

import pytest
from celery.result import AsyncResult

from bench.client import producer
from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise
from integration_tests.promises import harm
from integration_tests.promises.harm import Harm
from integration_tests.waiting import pass_time, wait_until

CONFIG = "*/etc/celery/celeryconfig.py"
NO_TIMEOUT = Mutation("an answer may take for ever", CONFIG, r'"socket_timeout": [0-9.]+', '"socket_timeout": None')
ENDLESS = Mutation("a result is asked for without end", CONFIG, r"^result_backend_max_retries = .*\n", "")

# So a worker says it (kombu 5.7, message.py, transport/redis.py; celery 5.7, worker/consumer/consumer.py).
NOTICED = re.compile("Couldn't ack|got no reply|Connection to broker lost")
WAIT = 2.0  # seconds that a client waits for a result
PATIENCE = 11.0  # seconds after which something counts as never


@promise(
    "silence-told",
    "A worker says that its broker has gone silent, also where it is in the middle of telling it something.",
    fault="packets dropped without a word while a task runs",
    settings=("celery_socket_timeout", "celery_health_check_interval"),
    unit="s until the worker says so",
    at_most=9,
    mutations=(NO_TIMEOUT,),
)
def test_a_worker_notices_silence(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    before = len(NOTICED.findall(stack.worker.logs()))
    ledger.send(1, seconds=0.5)  # it ends in the silence: its acknowledgement is what nobody answers
    ledger.await_started()
    heal = harm.cut_off(stack)
    proof(until(lambda: len(NOTICED.findall(stack.worker.logs())) > before, heal))


def until(true: Callable[[], bool], heal: harm.Heal) -> float:
    """Return how many seconds it takes until something is true, at most those of our patience; then heal."""
    began = time.monotonic()
    with contextlib.suppress(AssertionError):
        wait_until("it", true, PATIENCE)
    took = time.monotonic() - began
    heal()
    return took


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
    client = producer(stack.staged)
    client.conf.update(redis_socket_timeout=1, redis_socket_connect_timeout=1)
    return lambda seconds: client.send_task("probe.sleep", (seconds,))


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
    proof(until(waiter.done, heal), f"told {waiter.told}")
