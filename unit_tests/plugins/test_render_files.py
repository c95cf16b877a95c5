"""Promise: what takes a host out of service removes what is ours, and nothing that others share with us."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

ENTRIES = [
    {"path": "/etc/systemd/system", "mode": "0755"},
    {"path": "/etc/celery", "whole": True},
    {"path": "/var/lib/redis/broker", "data": True},
    {"path": "/etc/celery/celery.env", "text": "secret"},
    {"path": "/opt/celery/current", "state": "link", "target": "x"},
    {"path": "/etc/old.conf", "state": "absent"},
    {"path": "/etc/systemd/system", "state": "swept", "pattern": "celery-*", "keep": []},
]


@pytest.fixture(scope="module")
def render_files(plugin: Callable[[str], ModuleType]) -> ModuleType:
    return plugin("action/render_files")


@pytest.mark.parametrize(("data", "state"), [(False, "vacant"), (True, "no_tree")])
def test_a_shared_directory_stays(render_files: ModuleType, data: bool, state: str) -> None:
    """Ours go whole, shared ones when they are empty, data when that is said; last first, as files stand in directories."""
    gone = [(entry["path"], entry["state"]) for entry in render_files._gone(ENTRIES, data=data)]
    assert gone == [
        ("/etc/old.conf", "absent"),
        ("/opt/celery/current", "absent"),
        ("/etc/celery/celery.env", "absent"),
        ("/var/lib/redis/broker", state),
        ("/etc/celery", "no_tree"),
        ("/etc/systemd/system", "vacant"),
    ]
