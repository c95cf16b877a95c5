"""Promises of the way to a generator host, with the launcher as a process of this machine: no SSH, no load.

`integration_tests/load/test_load_distributed.py` goes the whole way.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import NotPossible
from integration_tests.waiting import wait_until
from loadtests.run.remote import Generator
from settings.fleet import HostSettings
from settings.generator import CHECKOUT, generator_id, python
from unit_tests.settings.fleets import fleet_of

NOBODY = 9  # a port on which no master is


@pytest.fixture
def host(tmp_path: Path) -> HostSettings:
    """A host of a stack below a directory, whose Ansible connection is local."""
    groups = {"groups": ["redis", "celery", "beat", "locust"], "address": "127.0.0.1"}
    case = {"process_manager": "supervisor", "stack_root": str(tmp_path), "stack_run_dir": "/tmp/s"}  # noqa: S108
    fleet, problems = fleet_of({**case, "hosts": {"one": groups}})
    assert fleet is not None, problems
    return fleet.hosts["one"]


@pytest.fixture
def installed(host: HostSettings) -> HostSettings:
    """The same, with what the role would have put there: this checkout, and our interpreter."""
    program = Path(python(host.stack.stack_root, generator_id(host.celery)))
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    program.chmod(0o755)
    (program.parents[2] / "app").symlink_to(CHECKOUT)
    return host


@pytest.fixture
def generator(installed: HostSettings) -> Iterator[Generator]:
    """The launcher, connected."""
    found = Generator(installed, None, "try-out")
    found.connect(NOBODY)
    yield found
    found.close()


def test_a_host_without_a_generator_says_what_puts_it_there(host: HostSettings) -> None:
    with pytest.raises(NotPossible) as told:
        Generator(host, None, "try-out").connect(NOBODY)
    assert str(told.value) == "one has no generator of this checkout: `make deploy ENV=try-out` puts it there."


def test_its_clock_is_compared(generator: Generator) -> None:
    """It is our own clock: what is found is within what is doubted."""
    assert abs(generator.clock.ahead) <= generator.clock.doubt < 0.5


def test_a_worker_that_ends_is_told_with_its_last_words(generator: Generator) -> None:
    generator.start({"profile.json": "{}"}, {"LOAD_PROFILE": "@folder@/profile.json"})
    said = wait_until("the worker has ended", generator.ended, 20)
    assert said.startswith("a worker on one ended with exit code 1: ")
    assert not generator.killed  # Locust's own codes may be an orderly end


def test_a_launcher_that_is_gone_is_told(generator: Generator) -> None:
    generator._process.kill()
    assert wait_until("it is noticed", generator.ended, 20).startswith("one lost its generator")
    assert generator.killed


def test_a_greeting_of_the_host_is_no_answer(generator: Generator) -> None:
    generator._heard("Welcome to this server\n")
    generator._heard("[1]\n")
    assert generator.events.empty()
