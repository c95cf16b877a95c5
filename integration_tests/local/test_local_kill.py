"""kill -9: supervisor brings it back within seconds, and no promise suffers."""

from __future__ import annotations

import os
import signal
import time

import pytest
import redis

from integration_tests.local.clone import Clone
from integration_tests.local.processes import runs
from integration_tests.local.talk import application, connect
from integration_tests.waiting import wait_until

BACK = 15.0  # seconds until it serves again


@pytest.mark.parametrize("program", ["celery-worker-fast-1", "redis-broker"])
def test_killed_process_is_back_within_seconds(stack: Clone, program: str) -> None:
    """process_manager: supervisor starts it again; the rest is not restarted, no child of the dead stays behind."""
    before = stack.pids()
    family = {process.pid for process in stack.processes() if "fast-1@localhost" in process.command}
    started = time.monotonic()
    os.kill(before[program], signal.SIGKILL)
    wait_until(f"{program} runs again", lambda: stack.pids().get(program, before[program]) != before[program], BACK)
    if program == "redis-broker":
        wait_until("Redis answers", lambda: connect(stack).ping(), BACK, ignoring=redis.RedisError)
    with application(stack, "control") as app:
        node = ["fast-1@localhost"]
        wait_until(
            "the worker consumes",
            lambda: app.control.inspect(node, timeout=0.5).active_queues(),
            BACK,
            ignoring=Exception,
        )
    print(f"{program}: serves again {time.monotonic() - started:.1f} s after kill -9")
    after = stack.pids()
    assert {name for name in before if before[name] != after.get(name)} == {program}
    if program != "redis-broker":
        wait_until("the dead worker's children ended", lambda: not [pid for pid in family if runs(pid)], BACK)
    assert {row["status"] for row in stack.verify()} == {"passed"}
