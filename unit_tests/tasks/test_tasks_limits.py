"""A task that is stopped cleans up; a task that harms does so once, and within limits."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from billiard import current_process
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

Run = Callable[..., Any]
STATM = Path("/proc/self/statm")
AGAIN = {"delivery_info": {"redelivered": True}}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that temporary files go to."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Return the (pid, signal) pairs of kills, none of which are carried out."""
    kills: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: kills.append((pid, number)))
    return kills


@pytest.fixture
def in_pool_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process look like a prefork pool's child."""
    monkeypatch.setattr(current_process(), "name", "ForkPoolWorker-1")


@pytest.fixture
def deliver(app: Celery) -> Run:
    """Return a function that runs `probe.<name>` as if the broker had handed its message out again."""

    def call(name: str, *args: object, **request: object) -> object:
        task = app.tasks[f"probe.{name}"]
        task.push_request(id="1", called_directly=False, **request)
        try:
            return task.run(*args)
        finally:
            task.pop_request()

    return call


def resident() -> float:
    """Return this process's resident size in MiB."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024**2


def test_a_soft_limit_ends_the_work_and_leaves_no_file(
    run: Run, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []

    def interrupted(_seconds: float) -> None:
        seen.extend(temporary.iterdir())
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("time.sleep", interrupted)
    answer = run("soft_limit", 30)
    assert (answer["limited"], answer["cleaned"]) == (True, True)
    assert [path.name[:17] for path in seen] == ["probe-soft-limit-"]
    assert list(temporary.iterdir()) == []


def test_work_that_no_limit_stops_says_so(run: Run, temporary: Path, naps: list[float]) -> None:
    answer = run("soft_limit", 30)
    assert (answer["limited"], answer["cleaned"]) == (False, True)
    assert naps == [30]


def test_hard_limit_ignores_every_soft_limit_until_its_time_is_up(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 1.0, 2.0, 6.0, 6.0])
    asked: list[float] = []

    def interrupted(seconds: float) -> None:
        asked.append(seconds)
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("tasks.probe.destructive.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("tasks.probe.destructive.time.sleep", interrupted)
    assert app.tasks["probe.hard_limit"].run(5)["after"] == 6.0
    assert asked == [5.0, 4.0, 3.0]


def test_a_redelivered_overrun_ends_at_once(deliver: Run, naps: list[float]) -> None:
    assert deliver("hard_limit", 30, **AGAIN)["redelivered"] is True
    assert naps == []


@pytest.mark.skipif(not STATM.exists(), reason="only Linux tells the resident size of a moment")
def test_memory_hog_really_holds_the_memory_and_gives_it_back(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[float] = []
    monkeypatch.setattr("time.sleep", lambda _seconds: held.append(resident()))
    before = resident()
    answer = run("memory_hog", 128, 5)
    assert held[0] - before == pytest.approx(128, abs=16)
    assert resident() - before < 16
    assert answer["rss_kib"] / 1024 > held[0] - 16
    assert (answer["megabytes"], answer["redelivered"]) == (128, False)


def test_a_redelivered_memory_hog_takes_nothing(deliver: Run, naps: list[float]) -> None:
    answer = deliver("memory_hog", 1024, 600, **AGAIN)
    assert (answer["megabytes"], answer["redelivered"], naps) == (0, True, [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1025,), "megabytes=1025 is above the limit of 1024 MiB: send at most 1024"),
        ((0,), "megabytes=0 is below the limit of 1 MiB"),
        ((1, 601), "hold=601 is above the limit of 600 s"),
    ],
)
def test_memory_hog_is_bounded(run: Run, naps: list[float], arguments: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run("memory_hog", *arguments)
    assert naps == []


@pytest.mark.usefixtures("in_pool_child")
def test_crash_kills_its_own_child_and_nothing_else(run: Run, killed: list[tuple[int, int]]) -> None:
    with pytest.raises(AssertionError, match="outlived"):
        run("crash")
    assert killed == [(os.getpid(), signal.SIGKILL)]


def test_crash_refuses_to_kill_a_worker_without_children(run: Run, killed: list[tuple[int, int]]) -> None:
    with pytest.raises(RuntimeError, match=r"would kill the worker itself.*prefork"):
        run("crash")
    assert killed == []


@pytest.mark.usefixtures("in_pool_child")
def test_a_redelivered_crash_is_spared_and_proves_that_it_came_back(
    deliver: Run, killed: list[tuple[int, int]]
) -> None:
    answer = deliver("crash", 10, **AGAIN)
    assert (answer["redelivered"], answer["crashed"], killed) == (True, 0, [])


@pytest.mark.usefixtures("in_pool_child")
@pytest.mark.parametrize(("retries", "kills"), [(0, 1), (2, 1), (3, 0)])
def test_a_counted_crash_happens_as_often_as_asked(
    deliver: Run, killed: list[tuple[int, int]], retries: int, kills: int
) -> None:
    if kills:
        with pytest.raises(AssertionError, match="outlived"):
            deliver("crash", 3, retries=retries)
    else:
        assert deliver("crash", 3, retries=retries)["crashed"] == 3
    assert len(killed) == kills


@pytest.mark.usefixtures("in_pool_child")
def test_crash_is_bounded(run: Run, killed: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="times=11 is above the limit of 10"):
        run("crash", 11)
    assert killed == []
