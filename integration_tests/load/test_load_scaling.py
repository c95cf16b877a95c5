"""`make scaling` in miniature: it measures, answers, checks itself and leaves nothing behind; what cannot be is a sentence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.run import LABEL, OWNER
from engine.daemon import engine
from engine.errors import NotPossible
from integration_tests.checkout import CHECKOUT
from integration_tests.load.stack import Stack
from loadtests.scaling.drain import Drainer
from settings.loads import shipped

LONG = 180.0  # seconds
TINY = ("--workers", "1,2,4", "--concurrency", "2", "--rounds", "1", "--seconds", "1")


@pytest.fixture
def docker() -> None:
    """Skip where there is none."""
    try:
        engine()
    except NotPossible as error:
        pytest.skip(str(error))


def scaling(folder: Path, *words: str, expect: int) -> tuple[str, dict[str, Any]]:
    """Sweep; return what it said, and its JSON where it got so far."""
    command = [sys.executable, "-m", "loadtests.scaling", "inventories/integration", "--folder", str(folder), *words]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=LONG)
    said = done.stdout + done.stderr
    assert done.returncode == expect, said
    assert "Traceback" not in said
    file = folder / "scaling.json"
    return said, json.loads(file.read_text()) if file.exists() else {}


def left() -> list[str]:
    """Return the containers of runs that have ended."""
    found = engine().containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
    return [str(one.name) for one in found if not Path(f"/proc/{one.labels[OWNER]}").exists()]


def test_a_drain_tells_the_throughput_that_the_tasks_themselves_tell(working: Stack) -> None:
    (kind,) = [kind for kind in shipped().profiles[0].tasks if kind.task == "probe.sleep"]
    profile = shipped().profiles[0].model_copy(update={"tasks": [kind.model_copy(update={"args": [0.02]})]})
    drainer = Drainer(working.target(), profile, working.target("admin"), seed=1)
    found = drainer.measure(2)
    drainer.close()
    assert 25 < found.rate < 1 / 0.02, "one slot, in which each task sleeps for 20 ms"
    assert found.tasks > 50
    assert 800 < found.message < 2000, "Celery's message of such a task has about 1,000 bytes"
    assert 200 < found.result < 2000
    with working.redis() as client:
        assert not client.exists(f"{working.target().key_prefix}slow"), "something was left in the queue"


@pytest.mark.usefixtures("docker")
def test_a_sweep_answers_and_checks_a_size_that_it_did_not_measure(tmp_path: Path) -> None:
    # The tolerance is wide: what is proven here is the way, and not that a second is enough to measure.
    said, told = scaling(tmp_path, *TINY, "--rate", "60", "--p95", "2", "--tolerance", "0.5", expect=0)
    (curve,) = told["curves"]
    rates = {one["workers"]: one["rate"] for one in curve["drains"]}
    assert rates[2] > 1.4 * rates[1] > 0, "tasks that wait go through two workers nearly twice as fast"
    assert told["check"]["workers"] not in rates
    assert len(told["check"]["measured"]) == 3
    assert told["answer"]["workers"] <= 2, "one worker of two slots carries about 80 such tasks a second"
    assert told["answer"]["memory"][0]["instance"] == "broker"
    assert told["answer"]["memory"][0]["waiting"] > 60 * 60 * 500, "a message is more than 500 bytes"
    assert "for 60 tasks/s at p95 ≤ 2 s:" in said
    assert (tmp_path / "scaling.html").read_text(encoding="utf-8").count("<svg") == 2
    assert not left()


@pytest.mark.usefixtures("docker")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--matrix", "redis=7,8"], "a sweep is of one combination"),
        (["--matrix", "transport=redis-plus"], "the generator writes the messages of the transport redis only"),
        (["--set", "redis_maxmemory=few"], "redis_maxmemory"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path: Path, words: list[str], message: str) -> None:
    said, _ = scaling(tmp_path, *words, expect=2)
    assert message in said
    assert not left()


@pytest.mark.usefixtures("docker")
def test_what_no_number_of_workers_carries_is_said_with_what_was_measured(tmp_path: Path) -> None:
    said, told = scaling(tmp_path, *TINY, "--rate", "100000", "--p95", "2", expect=2)
    assert re.search("100000 tasks/s (here|would need)", said), said
    assert told["answer"] is None
    assert len(told["curves"][0]["drains"]) == 6
