"""Two clones on one machine; stopping, starting and removing one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.local.clone import Clone, cloned
from integration_tests.local.talk import not_once, paused, publish, waiting

QUEUED = 25
LONG = "a-folder-with-a-name-that-is-much-longer-than-the-kernel-allows-for-the-path-of-a-unix-socket"
LEFT = {".venv"}  # what `make clean` leaves: it is no part of the stack, and dear


@pytest.fixture(scope="module")
def second(prepared: Clone) -> Iterator[Clone]:
    """The second clone, up; stopped again for whoever needs its ports."""
    prepared.make("up")
    yield prepared
    prepared.make("down")


def test_two_clones_do_not_collide(stack: Clone, second: Clone) -> None:
    """Other ports, other passwords, and every promise kept in both."""
    ours, theirs = stack.machine, second.machine
    ports = [machine[name] for machine in (ours, theirs) for name in ("redis_port", "celery_flower_port")]
    assert len(set(ports)) == len(ports)
    assert not stack.secrets & second.secrets
    assert not {process.pid for process in stack.processes()} & {process.pid for process in second.processes()}
    for clone in (stack, second):
        assert {row["status"] for row in clone.verify()} == {"passed"}


def test_down_leaves_no_process_and_keeps_the_data(second: Clone) -> None:
    """What was queued is there after the next `make up`, and runs once; down twice does no harm."""
    # The worker comes back consuming: what it has not taken by then was kept by Redis.
    with paused(second, "slow"):
        entries = publish(second, "slow", "kept", QUEUED)
        assert waiting(second, "slow") == QUEUED
        second.make("down")
        assert second.processes() == []
        assert "nothing runs" in second.make("down").output
        assert second.make("status", expect=2).said == ["nothing runs: make up starts it"]
        second.make("up")
    assert not_once(second, entries, 30) == {}


def test_clean_removes_all_that_was_made(second: Clone) -> None:
    """Processes, data, reports, ports and passwords; what stays is what git has, and the virtual environment."""
    before = set(_files(second.folder))
    second.make("clean")
    assert second.processes() == []
    gone = {path.relative_to(second.folder).parts[0] for path in before - set(_files(second.folder))}
    assert gone == {".stack", "build", "inventories"}
    ignored = second.run("git", "-C", str(second.folder), "init", "--quiet").code
    assert ignored == 0
    listed = second.run("git", "ls-files", "--others", "--ignored", "--exclude-standard", "--directory").said
    assert {name.split("/")[0] for name in listed if "__pycache__" not in name} <= LEFT


def test_folder_with_a_long_name(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where the path is too long for a Unix socket, sockets stand in a folder of their own, which `make clean` removes."""
    with cloned(tmp_path_factory.mktemp("long") / LONG, tmp_path_factory.mktemp("home")) as clone:
        clone.make("up")
        elsewhere = Path(clone.machine["stack_run_dir"])
        assert clone.folder not in elsewhere.parents
        assert {path.name for path in elsewhere.iterdir()} == {"supervisor.sock", "supervisord.pid"}
        clone.make("clean")
        assert not elsewhere.exists()


def _files(folder: Path) -> list[Path]:
    return [Path(top) / name for top, _, names in os.walk(folder) if ".venv" not in top for name in names]
