"""Promises of the launcher on a generator host: it tells the time, it tells of workers that end, and it leaves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtests.run.launcher import FOLDER
from settings.loads import shipped

CHECKOUT = Path(__file__).resolve().parents[2]
NOBODY = 9  # a port on which no master is


class Launcher:
    """A launcher, spoken to as remote.py does."""

    def __init__(self, folder: Path) -> None:
        """Start it with a directory of its own, as its unit has one."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "loadtests.run.launcher"],
            cwd=CHECKOUT,
            env={**os.environ, "RUNTIME_DIRECTORY": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, **words: Any) -> None:
        """Send a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Return the next line."""
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told

    def job(self, **files: str) -> None:
        """Have one worker started."""
        profile = shipped().profiles[0].model_dump_json()
        environment = {"LOAD_TARGET": f"{FOLDER}/target", "LOAD_PROFILE": f"{FOLDER}/profile"}
        self.say(port=NOBODY, processes=1, files={"profile": profile, **files}, environment=environment)
        assert self.hear() == {"started": 1}


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    launched = Launcher(tmp_path)
    yield launched
    launched.process.kill()
    launched.process.wait()


def test_it_tells_the_time(launcher: Launcher) -> None:
    launcher.say(clock=True)
    assert abs(launcher.hear()["clock"] - time.time()) < 5


def test_a_worker_that_cannot_begin_is_told_with_its_last_words(launcher: Launcher, tmp_path: Path) -> None:
    launcher.job(profile="{}")
    told = launcher.hear()
    assert told["ended"] == 1
    assert "pydantic" in told["said"]
    assert (tmp_path / "profile").stat().st_mode & 0o777 == 0o600


def test_nobody_wants_it_any_more(launcher: Launcher) -> None:
    """The input ends: so do the workers, and the launcher."""
    launcher.job()
    assert launcher.process.stdin is not None
    launcher.process.stdin.close()
    assert launcher.process.wait(15) == 0


def test_it_ends_without_a_job(launcher: Launcher) -> None:
    assert launcher.process.stdin is not None
    launcher.process.stdin.close()
    assert launcher.process.wait(15) == 0
