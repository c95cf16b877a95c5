"""Promises: what cannot be put under load is told in one sentence, before anything is sent; and what waits is seen as it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from integration_tests.load.stack import HOST, PASSWORD, REPOSITORY, Stack
from loadtests.run.broker import Broker
from settings.localhost import free_ports


def refused(inventory: Path) -> str:
    """Put an inventory under load, which cannot be; return the sentence."""
    done = subprocess.run(
        [sys.executable, "-m", "loadtests", str(inventory), "--folder", str(inventory / "out")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr.strip()


def changed(served: Stack, folder: Path, **values: object) -> Path:
    """Return a copy of the stack's inventory with other values."""
    inventory = folder / "inventory"
    shutil.copytree(served.folder / "inventory", inventory)
    file = inventory / "group_vars" / "all.yml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "load_allowed": True, **values}))
    return inventory


def test_a_wrong_password_is_told_with_the_user_and_the_way_out(served: Stack, tmp_path: Path) -> None:
    file = changed(served, tmp_path) / "group_vars" / "all.yml"
    file.write_text(file.read_text().replace(PASSWORD, "another-password"))
    said = refused(tmp_path / "inventory")
    assert said.startswith("Redis at 127.0.0.1:")
    assert "refuses the user producer (invalid username-password pair or user is disabled.)" in said
    assert said.endswith("`make deploy ENV=inventory` makes it so.")
    assert "another-password" not in said


def test_a_redis_that_cannot_be_reached_is_told_with_its_address(served: Stack, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    said = refused(changed(served, tmp_path, redis_port=port))
    assert said.startswith(f"Redis at 127.0.0.1:{port} cannot be reached (")


def test_another_transport_is_refused(served: Stack, tmp_path: Path) -> None:
    said = refused(changed(served, tmp_path, celery_transport="redis-plus", redis_version="7.0"))
    assert "celery_transport: redis-plus: the generator writes the messages of the transport redis only" in said


def test_what_may_not_be_put_under_load_is_not(served: Stack, tmp_path: Path) -> None:
    said = refused(changed(served, tmp_path, load_allowed=False))
    assert f"{HOST}: load_allowed is false" in said


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"task": "probe.ad"}, "write probe.add"),
        ({"task": "probe.add", "queue": "fst"}, "fst"),
    ],
)
def test_a_workload_that_cannot_be_sent_there_is_refused(
    served: Stack, tmp_path: Path, task: dict[str, str], message: str
) -> None:
    mine = {"name": "smoke", "tasks": [{"name": "a", **task}], "phases": [{"seconds": 5, "rate": 1}]}
    inventory = changed(served, tmp_path, load_profiles=[mine])
    done = subprocess.run(
        [sys.executable, "-m", "loadtests", str(inventory)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_what_waits_is_counted_by_queue_with_all_its_priorities(served: Stack) -> None:
    """The watcher's figures are Redis' own, and asking them takes the rights of an administrator, not of a worker."""
    target, redis = served.target(), served.redis()
    keys = [f"{target.key_prefix}{name}" for name in ("fast", "fast\x06\x163", "fast\x06\x169", "slow\x06\x166")]
    for key in keys:
        redis.lpush(key, "message")
    broker = Broker(served.fleet, served.fleet.hosts[HOST])
    try:
        look = broker.look()
        assert (look.backlog, look.unacked, look.empty) == ({"fast": 3, "slow": 1}, 0, False)
        assert look.memory > 500_000
        redis.delete(*keys)
        assert broker.look().empty
    finally:
        redis.delete(*keys)
        broker.close()
