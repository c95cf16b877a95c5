"""What `make load` hands over, the command that does the same again, and what is refused before anything is touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import NotPossible
from loadtests.__main__ import again, arguments
from loadtests.run.command import settings

CHECKOUT = Path(__file__).resolve().parents[2]


def test_an_inventory_is_enough() -> None:
    args = arguments(["inventories/integration"])
    assert (args.profile, args.runs, args.generators, args.baseline) == ("smoke", 1, None, False)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ([], "make load ENV=staging PROFILE=smoke"),
        (["--profile", "soak", "--generators", "2"], "make load ENV=staging PROFILE=soak GENERATORS=2"),
        (["--runs", "5", "--baseline"], "make load ENV=staging PROFILE=smoke RUNS=5 BASELINE=1"),
        (
            ["--matrix", "redis=8 python=3.13", "--set", "redis_appendfsync=always"],
            'make load ENV=staging PROFILE=smoke MATRIX="redis=8 python=3.13" SET=redis_appendfsync=always',
        ),
    ],
)
def test_the_command_that_does_the_same_again(words: list[str], command: str) -> None:
    assert again(arguments(["inventories/staging", *words])) == command


def test_settings_are_said_as_in_an_inventory() -> None:
    assert settings(["celery_restart_delay=3", "load_profiles=[{name: a}]"]) == {
        "celery_restart_delay": 3,
        "load_profiles": [{"name": "a"}],
    }


@pytest.mark.parametrize("word", ["redis_maxmemory", "=3", "load_profiles=[{name"])
def test_a_setting_that_is_none_is_named(word: str) -> None:
    with pytest.raises(NotPossible, match="say NAME=VALUE"):
        settings([word])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["inventories/integration", "--profile", "smok"],
            "PROFILE=smok: there is no such workload: write PROFILE=smoke.",
        ),
        (
            ["inventories/integration", "--profile", "xyzxyz"],
            "PROFILE=xyzxyz: there is no such workload: choose of smoke,",
        ),
        (["inventories/production"], "load_allowed is false, so no load is put on them"),
        (["inventories/nowhere"], "there is no such inventory"),
        (["inventories/integration", "--runs", "0"], "--runs 0: must be above 0"),
        (["inventories/integration", "--generators", "-1"], "--generators -1: must be above 0"),
        (["inventories/integration", "--baseline"], "a baseline takes 5 runs"),
        (["inventories/integration", "--set", "redis_port"], "SET=redis_port: say NAME=VALUE"),
        (["inventories/integration", "--matrix", "transport=redis-plus"], "the transport redis only"),
        (["inventories/integration", "--matrix", "redis=7,8"], "a run is of one combination"),
        (
            [
                "inventories/integration",
                "--set",
                "load_profiles=[{name: smoke, tasks: [{name: a, task: probe.add}], "
                "phases: [{seconds: 1, rate: 1}], faults: [redis-kil]}]",
            ],
            "smoke: there is no fault 'redis-kil': write redis-kill.",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_touched(words: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtests", *words],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
