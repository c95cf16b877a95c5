"""Timeouts of clients: nobody waits for ever on a Redis that is dead, silent or cut off."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery

from bench.stack import Stack
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.outcomes import own_client, send

SOCKET, CONNECT = 2, 1  # seconds
pytestmark = variant(celery_socket_timeout=SOCKET, celery_socket_connect_timeout=CONNECT)
EVERY_SILENCE = pytest.mark.parametrize("fault", ["dead", "silent", "cut off"])
ENDLESS = 10.0  # seconds after which nobody waits for a call to return


@contextlib.contextmanager
def unreachable(stack: Stack, how: str) -> Iterator[None]:
    """Keep Redis from answering: its port is closed, its process stands still, or no packet comes through."""
    if how == "dead":
        stack.redis.kill()
    elif how == "silent":
        stack.redis.pause()
    else:
        stack.redis.host.cut("drop")
    try:
        yield
    finally:
        stack.redis.host.heal()
        stack.redis.resume()
        if not stack.redis.running:
            stack.redis.start()
        stack.await_redis()


@contextlib.contextmanager
def client(stack: Stack, **conf: Any) -> Iterator[Celery]:
    """Give a client of its own that has published before: its connections are open."""
    app = own_client(stack)
    app.conf.update(conf)
    app.send_task("probe.noop", ignore_result=True)
    yield app
    gc.collect()  # Celery's results speak to Redis when they are collected: let that be while it is there
    app.close()


def seconds_of(call: Callable[[], object], patience: float = ENDLESS) -> tuple[float, str]:
    """Return after how many seconds a call ended, and with which error; one that hangs is left behind."""
    ended: list[str] = []

    def run() -> None:
        try:
            ended.append(repr(call()))
        except Exception as error:  # whatever class: that it comes is what counts
            ended.append(type(error).__name__)

    thread = threading.Thread(target=run, daemon=True)
    began = time.monotonic()
    thread.start()
    thread.join(patience)
    return time.monotonic() - began, ended[0] if ended else "still waiting"


@EVERY_SILENCE
@pytest.mark.parametrize("ignored", [True, False], ids=["no result", "with result"])
@promise(
    "publish-gives-up",
    "A publish without retries to a Redis that does not answer ends with an error, soon.",
    fault="Redis killed, stopped by SIGSTOP, or cut off",
    settings=("celery_socket_timeout", "celery_socket_connect_timeout"),
    unit="s",
    at_most=2 * (SOCKET + CONNECT) + 1,
)
def test_a_publish_gives_up(stack: Stack, proof: Proof, fault: str, ignored: bool) -> None:
    with client(stack) as app, unreachable(stack, fault):
        took, error = seconds_of(lambda: app.send_task("probe.noop", retry=False, ignore_result=ignored))
    proof(took, f"{fault}, {error}")


@EVERY_SILENCE
@promise(
    "get-gives-up",
    "A client with result_backend_always_retry off that waits for a result with a timeout of 1 s gives up in time.",
    fault="Redis killed, stopped by SIGSTOP, or cut off",
    settings=("celery_socket_timeout", "celery_socket_connect_timeout", "celery_result_backend_always_retry"),
    unit="s",
    at_most=1 + SOCKET + CONNECT + 1,
)
def test_a_waiter_gives_up(stack: Stack, proof: Proof, fault: str) -> None:
    with client(stack, result_backend_always_retry=False) as app:
        result = app.send_task("probe.sleep", args=[0.5])
        with unreachable(stack, fault):
            took, error = seconds_of(lambda: result.get(timeout=1))
    proof(took, f"{fault}, {error}")


@promise(
    "get-timeout",
    "get(timeout) raises when its time is up.",
    fault="a task that takes longer",
    settings=(),
    unit="s after its time",
    at_least=0,
    at_most=1.0,
)
def test_get_keeps_its_timeout(stack: Stack, proof: Proof) -> None:
    task = send(stack, "probe.sleep", seconds=1.5)
    took, error = seconds_of(lambda: stack.app.AsyncResult(task).get(timeout=0.5))
    assert error == "TimeoutError"
    proof(took - 0.5, error)
