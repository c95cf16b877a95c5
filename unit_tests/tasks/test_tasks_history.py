"""The workers' side of the history: every run leaves its lines, whatever becomes of the process that wrote them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from tasks.probe.history import burn

Run = Callable[..., Any]
ROOT = Path(__file__).parents[2]
WRITER = """
import sys
from tasks.probe.history import append
for number in range(int(sys.argv[2])):
    append("started", f"{sys.argv[1]}-{number}", padding="x" * 500)
if sys.argv[3:]:
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the worker's history."""
    path = tmp_path / "history.jsonl"
    monkeypatch.setenv("PROBE_HISTORY", str(path))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    """Return what was written."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def writer(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start a process that writes lines."""
    return subprocess.Popen([sys.executable, "-c", WRITER, *arguments], cwd=ROOT, text=True, **options)


def test_a_run_leaves_its_start_and_its_finish(run: Run, history: Path) -> None:
    before = time.time()
    said = run("record", "a", seconds=0.01)
    started, finished = lines(history)
    assert (started["event"], finished["event"]) == ("started", "finished")
    assert before <= started["at"] <= finished["at"] - 0.01
    assert (said["started_at"], said["finished_at"]) == (started["at"], finished["at"])
    for line in (started, finished):
        assert (line["entry"], line["pid"], line["retries"], line["redelivered"]) == ("a", os.getpid(), 0, False)
        assert line["worker"] == said["worker"] != ""


def test_a_repetition_is_written_again(run: Run, history: Path) -> None:
    run("record", "a")
    run("record", "a")
    assert [line["event"] for line in lines(history)] == ["started", "finished"] * 2


def test_each_run_that_fails_as_asked_is_told_before_its_retry_starts(run: Run, history: Path) -> None:
    assert run("record", "a", failures=2)["retries"] == 2
    assert [(line["event"], line["retries"]) for line in lines(history)] == [
        ("started", 0),
        ("failed", 0),
        ("started", 1),
        ("failed", 1),
        ("started", 2),
        ("finished", 2),
    ]


def test_a_run_that_meets_its_soft_limit_is_told_as_failed(
    run: Run, history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(_: float) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("tasks.probe.history.time.sleep", limited)
    with pytest.raises(SoftTimeLimitExceeded):
        run("record", "a", seconds=1)
    assert [(line["event"], line.get("error")) for line in lines(history)] == [
        ("started", None),
        ("failed", "SoftTimeLimitExceeded"),
    ]


def test_spinning_uses_the_cpu_and_not_the_clock() -> None:
    before = time.thread_time()
    burn(0.05)
    assert 0.05 <= time.thread_time() - before < 0.1


def test_writers_that_meet_keep_their_lines_apart(history: Path) -> None:
    writers = [writer(str(number), "200") for number in range(4)]
    assert [process.wait(30) for process in writers] == [0] * 4
    written = {line["entry"] for line in lines(history)}
    assert len(lines(history)) == len(written) == 800


def test_lines_outlive_the_kill_of_their_writer(history: Path) -> None:
    with writer("a", "3", "stay", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == "written\n"
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
    assert [line["entry"] for line in lines(history)] == ["a-0", "a-1", "a-2"]


def test_a_disk_that_is_full_fails_the_run_instead_of_hiding_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_HISTORY", "/dev/full")
    with pytest.raises(RuntimeError, match=r"/dev/full cannot be written .*No space left"):
        run("record", "a")


def test_without_a_history_the_error_names_the_variable_to_set(run: Run) -> None:
    with pytest.raises(RuntimeError, match="PROBE_HISTORY is not set: give the path"):
        run("record", "a")


@pytest.mark.parametrize(
    ("argument", "value"), [("seconds", -1), ("seconds", 3601), ("spin", -1), ("spin", 3601), ("failures", 12)]
)
def test_an_argument_beyond_its_limits_is_refused_and_leaves_no_line(
    run: Run, history: Path, argument: str, value: float
) -> None:
    with pytest.raises(ValueError, match=f"probe.record: {argument}={value}"):
        run("record", "a", **{argument: value})
    assert not history.exists()
