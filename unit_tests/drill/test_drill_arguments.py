"""What `make drill` hands over, and the command that does the same again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from drill.__main__ import again, arguments

CHECKOUT = Path(__file__).resolve().parents[2]


def test_an_inventory_is_enough() -> None:
    args = arguments(["inventories/staging"])
    assert (args.minutes, args.seed, args.rate, args.fault, args.count) == (5, 1, 30, None, None)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ([], "make drill ENV=staging MINUTES=5 SEED=1 RATE=30"),
        (["--minutes", "0.5", "--seed", "7"], "make drill ENV=staging MINUTES=0.5 SEED=7 RATE=30"),
        (
            ["--fault", "redis-kill", "--fault", "worker-kill", "--count", "9"],
            'make drill ENV=staging MINUTES=5 SEED=1 RATE=30 FAULT="redis-kill worker-kill" COUNT=9',
        ),
        (
            ["--set", "redis_appendfsync=always", "--set", "celery_restart_delay=3"],
            'make drill ENV=staging MINUTES=5 SEED=1 RATE=30 SET="redis_appendfsync=always celery_restart_delay=3"',
        ),
    ],
)
def test_the_command_that_does_the_same_again(words: list[str], command: str) -> None:
    assert again(arguments(["inventories/staging", *words])) == command


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inventories/production"], "stack_drill is false, so no fault is let loose there"),
        (["inventories/nowhere"], "there is no such inventory"),
        (["inventories/staging", "--fault", "redis-kil"], "FAULT=redis-kil is not known: choose of redis-kill, "),
        (["inventories/staging", "--minutes", "0"], "--minutes 0: must be above 0"),
        (["inventories/staging", "--rate=-1"], "--rate -1: must be above 0"),
        (["inventories/staging", "--count", "0"], "--count 0: must be above 0"),
        (["inventories/staging", "--set", "redis_maxmemory=9mb"], "--set and --matrix are for containers"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_touched(words: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "drill", *words], cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
