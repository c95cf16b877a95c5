"""Turning the append-only file on with work in the queue, and the power of the naive way to lose it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
import redis

from integration_tests.local.clone import Clone
from integration_tests.local.processes import runs
from integration_tests.local.talk import connect, not_once, paused, publish, setting, waiting
from integration_tests.waiting import wait_until
from settings.localhost import free_ports

TASKS = 1_000
BACK = 30.0  # seconds for supervisor to bring Redis back


def test_turning_appendonly_on_loses_no_task(stack: Clone) -> None:
    """redis_appendonly false to true with 1,000 tasks queued, then kill -9: all are there, and each runs once."""
    stack.override_file.write_text("redis_appendonly: false\n")
    stack.make("deploy", "ENV=local")
    assert setting(stack, "appendonly") == "no"
    before = stack.pids()
    with paused(stack, "slow"):
        entries = publish(stack, "slow", "aof", TASKS)
        stack.override_file.write_text("redis_appendonly: true\n")
        stack.make("deploy", "ENV=local")
        assert setting(stack, "appendonly") == "yes"
        assert stack.pids() == before, "applied live"
        assert waiting(stack, "slow") == TASKS
        os.kill(before["redis-broker"], signal.SIGKILL)
        wait_until("Redis is back", lambda: connect(stack).ping(), BACK, ignoring=redis.RedisError)
        assert connect(stack).info("server")["process_id"] != before["redis-broker"]
        assert waiting(stack, "slow") == TASKS
    assert not_once(stack, entries, 60) == {}


@pytest.mark.parametrize(("appendonly", "left"), [("no", TASKS), ("yes", 0)])
def test_control_naive_way_loses_all(stack: Clone, tmp_path: Path, appendonly: str, left: int) -> None:
    """A new file and a restart, as others do it: Redis starts on an empty append-only file, with a full dump beside it."""
    port = free_ports(1)[0]

    def start(flag: str) -> tuple[subprocess.Popen[bytes], redis.Redis]:
        config = tmp_path / "redis.conf"
        config.write_text(f'port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsave 3600 1\nappendonly {flag}\nlogfile ""\n')
        server = subprocess.Popen([stack.machine["redis_server_binary"], str(config)], stdout=subprocess.DEVNULL)
        client = redis.Redis(port=port, decode_responses=True)
        wait_until("the scratch Redis answers", client.ping, 10, ignoring=redis.RedisError)
        return server, client

    server, client = start("no")
    try:
        client.rpush("queue", *range(TASKS))
        server.terminate()
        assert server.wait(10) == 0
        assert not runs(server.pid)
        server, client = start(appendonly)
        assert client.llen("queue") == left
    finally:
        server.kill()
        server.wait(10)
