"""Two clones on one machine, one of them in a folder with a long name; stopping, starting and removing one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.local.clone import Clone
from integration_tests.local.talk import not_once, paused, publish, waiting

QUEUED = 25
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
    """Processes, data, reports, ports and passwords, sockets elsewhere; the next `make up` begins anew."""
    before = set(_files(second.folder))
    elsewhere = Path(second.machine["stack_run_dir"])
    assert second.folder not in elsewhere.parents, "the long name is too long for a socket"
    assert elsewhere.is_dir()
    second.make("clean")
    assert second.processes() == []
    gone = {path.relative_to(second.folder).parts[0] for path in before - set(_files(second.folder))}
    assert gone == {".stack", "build", "inventories"}
    ignored = second.run("git", "-C", str(second.folder), "init", "--quiet").code
    assert ignored == 0
    listed = second.run("git", "ls-files", "--others", "--ignored", "--exclude-standard", "--directory").said
    assert {name.split("/")[0] for name in listed if "__pycache__" not in name} <= LEFT
    assert not elsewhere.exists()


def _files(folder: Path) -> list[Path]:
    return [Path(top) / name for top, _, names in os.walk(folder) if ".venv" not in top for name in names]
