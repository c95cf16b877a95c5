"""Memory is that of a worker and its children, however often they are started anew, and of nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drill.targets.login import Logins
from integration_tests.waiting import wait_until
from loadtests.run import memory
from loadtests.run.memory import Memory
from loadtests.run.places.hosts import FarMemory

pytestmark = pytest.mark.skipif(not memory.PROC.is_dir(), reason="there is no /proc here")

MIB = 1024 * 1024
HELD = 40 * MIB
# Holds memory of its own; the child touches as much again, which it does not share.
PARENT = f"""
import os, sys
data = bytearray(os.urandom({HELD}))
if os.fork() == 0:
    more = bytearray(os.urandom({HELD}))
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def worker(name: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process with a child, called so."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, "--hostname", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        assert [process.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
        yield process
        assert process.stdin
        process.stdin.close()


def test_children_count_and_what_they_share_counts_once() -> None:
    with worker("main-1@memory-a"):
        found = Memory({"main-1@memory-a": ["main-1@memory-a"]}).sizes()["main-1@memory-a"]
    assert 2 * HELD < found < 2 * HELD + 40 * MIB  # three times as much, had the parent's part been counted twice


def test_a_worker_that_starts_later_is_found_and_one_that_ended_is_not() -> None:
    memory = Memory({"main-1@memory-b": ["main-1@memory-b", sys.executable]})
    assert memory.sizes() == {}
    with worker("main-1@memory-b"):
        assert memory.sizes().keys() == {"main-1@memory-b"}
    wait_until("its processes are gone", lambda: memory.sizes() == {}, 10)


def test_a_name_that_begins_like_another_is_another() -> None:
    with worker("main-1@memory-cd"):
        assert Memory({"main-1@memory-c": ["main-1@memory-c"]}).sizes() == {}


def test_it_runs_by_itself_as_on_a_host_and_ends_with_its_input() -> None:
    with worker("main-1@memory-e"):
        # by its text, as over SSH: nothing of this project is there
        source = Path(memory.__file__).read_text(encoding="utf-8")
        with subprocess.Popen(
            [sys.executable, "-I", "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as far:
            assert far.stdin
            assert far.stdout
            far.stdin.write(json.dumps({"main-1@memory-e": ["main-1@memory-e"]}) + "\n")
            far.stdin.flush()
            told = [json.loads(far.stdout.readline()) for _ in range(2)]
            far.stdin.close()
            assert far.wait(10) == 0
    assert all(one["main-1@memory-e"] > HELD for one in told)


class Here(Logins):
    """Logs in nowhere: a host is this machine."""

    def open(self, host: str, script: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(["sh", "-c", script], stdin=pipe, stdout=pipe, text=True, bufsize=1)


def test_hosts_tell_of_their_own_workers_until_it_is_closed(tmp_path: Path) -> None:
    with worker("main-1@memory-f"), worker("main-1@memory-g"):
        far = FarMemory(Here({}, tmp_path), ["main-1@memory-f", "main-1@memory-g", "main-1@memory-h"])
        try:
            wait_until("both are told", lambda: far.sizes().keys() == {"main-1@memory-f", "main-1@memory-g"}, 10)
            assert all(size > HELD for size in far.sizes().values())
        finally:
            far.close()
        wait_until("what nobody tells any more is not told", lambda: not far.sizes(), 10)
