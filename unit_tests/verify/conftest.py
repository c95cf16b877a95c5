"""A fleet that runs nowhere, and rows to judge with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.acl import BUILT_IN
from settings.loader import Loaded, load
from settings.localhost import free_ports
from verify.board import Board
from verify.expected import Application, applications
from verify.model import Promise
from verify.words import Words

CHECK = Promise("redis.answers", "answers a PING")

SETTINGS: dict[str, Any] = {
    "process_manager": "supervisor",
    "stack_root": "/srv/stack",
    "redis_version": "6.2",
    "redis_passwords": dict.fromkeys(BUILT_IN, "{{ 'secret-of-a-test' }}"),
    "host_manage_packages": False,
    "host_manage_users": False,
    "host_manage_sysctl": False,
    "celery_task_time_limit": 60,
    "celery_task_soft_time_limit": 50,
    "celery_stop_timeout": 100,
    "celery_result_expires": 3600,
    "celery_queues": [{"name": "fast"}, {"name": "slow"}, {"name": "io"}],
    "celery_task_default_queue": "fast",
    "celery_routes": [
        {"match": "probe.long", "queue": "slow"},
        {"match": "probe.sleep", "queue": "io"},
        {"match": "probe.*", "queue": "fast"},
    ],
    "celery_workers": [
        {"name": "fast", "queues": ["fast"], "concurrency": 2, "processes": 2},
        {"name": "slow", "queues": ["slow"], "autoscale": [4, 1], "time_limit": 30, "soft_time_limit": 20},
        {"name": "io", "queues": ["io"], "pool": "threads", "concurrency": 4, "time_limit": 0, "soft_time_limit": 0},
    ],
    "celery_beat_schedule": [{"name": "heartbeat", "task": "probe.heartbeat", "every": 5, "expires": 5}],
}


@pytest.fixture(scope="session")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inventory of one host whose Redis port nobody listens on."""
    folder = tmp_path_factory.mktemp("inventories") / "unit"
    (folder / "group_vars").mkdir(parents=True)
    groups: dict[str, Any] = {group: {"hosts": {"web1": None}} for group in ("redis", "celery", "beat")}
    hosts = {"all": {"hosts": {"web1": {"ansible_host": "127.0.0.1"}}}, **groups}
    (folder / "hosts.yml").write_text(yaml.safe_dump(hosts))
    values = {**SETTINGS, "redis_port": free_ports(1)[0]}
    (folder / "group_vars" / "all.yml").write_text(yaml.safe_dump(values))
    return folder


@pytest.fixture(scope="session")
def loaded(inventory: Path) -> Loaded:
    """The inventory, validated."""
    return load(inventory)


@pytest.fixture(scope="session")
def application(loaded: Loaded) -> Application:
    """Its one application."""
    from settings.resolved import resolve_all

    return applications(loaded.fleet, resolve_all(loaded.fleet))[0]


@pytest.fixture
def words(inventory: Path) -> Words:
    """The wording of hints."""
    return Words(inventory)


@pytest.fixture
def clock() -> Callable[[], float]:
    """A clock that goes on by one second whenever it is read."""
    seconds = iter(range(1_000_000))
    return lambda: float(next(seconds))


@pytest.fixture
def board(clock: Callable[[], float]) -> Board:
    """An empty board."""
    return Board(clock=clock)
