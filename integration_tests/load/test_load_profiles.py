"""The workers of a profile, from its staged files: they run as it says, with the rights that they have, and outlive Redis.

throughput reuses redis-py's clients (decision 023): after a loss, in children that were forked, and in a worker without any.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.profiles.drain import drain
from benchmarks.profiles.measure import NO_LIMITS
from benchmarks.profiles.stack import Side, shipped, staged, workers
from integration_tests.load.stack import Stack

TASKS = 200


@pytest.fixture(params=[NO_LIMITS, {}], ids=["solo", "prefork"])
def stack(tmp_path: Path, request: pytest.FixtureRequest) -> Stack:
    """A staged inventory with the profile throughput."""
    return staged(tmp_path / "stack", celery_profile="throughput", **request.param)


@pytest.fixture
def side(stack: Stack) -> Side:
    """Its workers."""
    return shipped(stack)


def denied(stack: Stack) -> list[Any]:
    """Return what Redis refused."""
    return list(stack.redis("admin").acl_log())


def test_a_profiles_workers_run_as_it_says_and_outlive_redis(stack: Stack, side: Side) -> None:
    """One slot each; kill -9 of Redis; the same workers go on, nothing was refused."""
    limited = stack.fleet.hosts["one"].celery.task_time_limit is not None
    pool = "prefork" if limited else "solo"
    assert [f"--pool {pool} --concurrency 1 " in " ".join(command) for command in side.commands] == [True] * (
        2 if limited else 3
    )
    with stack.redis_server() as server, workers(stack, side) as processes:
        drain(stack, TASKS)
        assert denied(stack) == []
        server.kill()
        server.wait()
        with stack.redis_server():
            drain(stack, TASKS)
            assert denied(stack) == []
            assert all(process.poll() is None for process in processes)
