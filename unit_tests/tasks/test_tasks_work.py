"""Tasks of workloads use what they say, leave nothing behind, and stay within limits that hold in production."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.probe.work import BLOCK, file

Run = Callable[..., Any]


def test_compute_uses_cpu_time_and_tells_how_much(run: Run) -> None:
    before = time.thread_time()
    answer = run("compute", 0.05)
    assert 0.05 <= answer["cpu"] <= time.thread_time() - before
    assert answer["finished_at"] - answer["started_at"] >= 0.04  # another clock


def test_waiting_is_no_computing(run: Run, naps: list[float]) -> None:
    before = time.thread_time()
    answer = run("work", {"any": ["thing"]}, 3, 0)
    assert naps == [3]
    assert time.thread_time() - before < 1
    assert set(answer) == {"started_at", "finished_at", "pid"}  # a large message has a small result


def test_work_computes_after_it_waited(run: Run, naps: list[float]) -> None:
    before = time.thread_time()
    run("work", "x" * 1000, 0.5, 0.03)
    assert naps == [0.5]
    assert time.thread_time() - before >= 0.03


def test_work_follows_work_in_a_chain(run: Run) -> None:
    answer = run("work", run("work"))
    assert json.loads(json.dumps(answer)) == answer


@given(st.integers(1, 3 * BLOCK // 1024))
def test_a_file_is_read_back_as_it_was_written(kilobytes: int) -> None:
    assert file(kilobytes)["read"] == kilobytes


def test_a_file_is_gone_afterwards(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert run("file", 100)["read"] == 100
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("compute", (61,), "seconds=61 is above the limit of 60 s: send at most 60"),
        ("compute", (-1,), "seconds=-1 is below the limit of 0 s"),
        ("work", ("", 3601), "wait=3601 is above the limit of 3600 s"),
        ("work", ("", 0, 61), "compute=61 is above the limit of 60 s"),
        ("file", (65_537,), "kilobytes=65537 is above the limit of 65536 KiB"),
        ("file", (0,), "kilobytes=0 is below the limit of 1 KiB"),
    ],
)
def test_what_would_hurt_is_refused(
    run: Run, naps: list[float], name: str, arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run(name, *arguments)
    assert naps == []
