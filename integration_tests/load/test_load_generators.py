"""Promises: a schedule is kept by all processes together; what voids a run is told in a sentence, and is no result."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integration_tests.load.stack import PASSWORD, Stack, arriving
from integration_tests.waiting import pass_time, wait_until
from loadtests.generator.target import VARIABLE
from settings.localhost import free_ports


def test_a_task_that_nobody_takes_is_lost_at_its_deadline(served: Stack) -> None:
    run = served.locust("arriving", **arriving(20, 1, limit=1))
    row = run.rows(code=1)["end-to-end", "probe.sleep"]
    assert (row["num_requests"], row["num_failures"]) == (20, 20)
    assert 1000 <= row["min_response_time"] < 1200
    assert run.failures == {("end-to-end", "probe.sleep", "lost: no result within 1 s")}


def test_processes_share_a_schedule_exactly(served: Stack) -> None:
    run = served.locust("arriving", "--processes", "3", **arriving(100, 3, limit=1))
    rows = run.rows(code=1)
    row = rows["end-to-end", "probe.sleep"]
    assert row["num_requests"] == 300
    assert rows["publish", "probe.sleep"]["num_failures"] == 0
    assert run.output.count("reported as ready") == 3


def test_a_generator_that_starts_late_is_waited_for(served: Stack) -> None:
    """Locust calls it ready as soon as it has connected; what it is told before it listens is lost."""
    run = served.locust("arriving", "--processes", "2", **arriving(20, 1, limit=1, slow=3))
    assert run.rows(code=1)["end-to-end", "probe.sleep"]["num_requests"] == 20


def test_a_generator_that_is_too_slow_is_told_from_a_slow_system(served: Stack) -> None:
    run = served.locust("arriving", **arriving(500, 2, limit=1, burn=0.004))
    run.rows(code=3)
    assert "The generator was too slow for the asked rate" in run.output


def test_a_generator_that_stands_still_while_results_are_awaited_decides_nothing(served: Stack) -> None:
    """All was sent in time; who knows when the results came."""
    redis, key = emptied(served)
    run = served.locust("arriving", **arriving(20, 1, limit=6))
    wait_until("all is sent", lambda: redis.llen(key) == 20, 30)
    stand_still(run.process.pid, 1.5)
    run.rows(code=3)
    assert "it stood still for " in run.output


def test_what_was_given_up_before_it_could_be_sent_is_never_sent(served: Stack) -> None:
    """Redis is silent for longer than a task may take: those that wait behind it are lost, and must not run afterwards."""
    redis, key = emptied(served)
    run = served.locust("arriving", **arriving(20, 4, limit=1))
    wait_until("it sends", lambda: redis.llen(key) >= 10, 30)
    stand_still(int(served.redis("admin").info("server")["process_id"]), 2.5)
    row = run.rows(code=1)["end-to-end", "probe.sleep"]
    messages = redis.lrange(key, 0, -1)
    assert row["num_failures"] == 80
    assert 10 <= len(messages) <= 60
    assert all(json.loads(message)["body"] for message in messages)


def stand_still(pid: int, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    pass_time(seconds)
    os.kill(pid, signal.SIGCONT)


def emptied(served: Stack) -> tuple[Any, str]:
    """Return a client and the key that probe.sleep goes to, by its route with a priority; nothing waits there."""
    redis, key = served.redis("worker"), f"{served.target().key_prefix}fast\x06\x166"
    redis.delete(key)
    return redis, key


@pytest.mark.parametrize("wrong", ["no target", "no such file", "nobody listens", "wrong password"])
def test_a_target_that_cannot_be_reached_is_told_in_one_sentence(served: Stack, tmp_path: Path, wrong: str) -> None:
    target = served.target()
    if wrong == "nobody listens":
        broker = target.broker.rsplit(":", 1)[0] + f":{free_ports(1)[0]}/0"
        target = replace(target, broker=broker)
    if wrong == "wrong password":
        target = replace(target, broker=target.broker.replace(PASSWORD, "hidden-secret"))
    file = tmp_path / "target.json"
    if wrong != "no such file":
        target.write(file)
    run = served.locust("arriving", **arriving(1, 1), **{VARIABLE: "" if wrong == "no target" else str(file)})
    run.output, _ = run.process.communicate(timeout=30)
    told = [line for line in run.output.splitlines() if "Starting Locust" not in line]
    assert run.process.returncode == 1
    assert len(told) == 1, run.output
    assert "hidden-secret" not in run.output
