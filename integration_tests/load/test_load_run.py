"""Promises: `make load` passes where objectives are kept, and names the one that is broken by a fault that is real.

A worker is slowed down, Redis is throttled, a queue has no consumer. A generator that is too slow decides nothing, and
whatever ends a run, nothing stays hurt.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.rest import at_rest
from bench.run import LABEL, OWNER
from bench.stack import Stack
from drill.targets.containers import Containers
from engine.daemon import engine
from engine.errors import NotPossible
from integration_tests.checkout import CHECKOUT
from integration_tests.waiting import pass_time, wait_until
from loadtests.record import Record
from loadtests.run.broker import Broker
from loadtests.run.campaign import BROKEN, KEPT, SATURATED, campaign
from loadtests.run.generate import LIVE
from loadtests.run.once import Asked
from loadtests.run.places.containers import containers
from loadtests.run.places.place import Place
from loadtests.run.watch import Watcher
from settings.loads import objectives, profiles
from settings.model.load import LoadProfile, LoadSlo

LONG = 240.0  # seconds
TWO_MINUTES = 120.0
RATE, SECONDS = 25, 6
LATE = LoadSlo(measure="end_to_end_p95", at_most=1.0)
LOST = LoadSlo(measure="lost", at_most=0)
MEMORY = LoadSlo(measure="worker_memory", at_most=1024**3)


def profile(**said: Any) -> LoadProfile:
    """Return a short workload: most of it to one queue, a tenth to the other."""
    tasks = [
        {"name": "short", "task": "probe.add", "args": [1, 2], "share": 9, "limit": 6},
        {"name": "other", "task": "probe.add", "args": [1, 2], "queue": "slow", "limit": 6},
    ]
    base = {"name": "brief", "tasks": tasks, "phases": [{"seconds": SECONDS, "rate": RATE}], "warm_up": 1}
    return LoadProfile.model_validate({**base, **said})


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Containers for several runs."""
    try:
        engine()
    except NotPossible as error:
        pytest.skip(str(error))
    with containers("", {}, profile()) as place:
        yield place


@pytest.fixture
def stack(place: Place) -> Iterator[Stack]:
    """The same at rest, and left so."""
    assert isinstance(place.hurtable, Containers)
    at_rest(place.hurtable.stack)
    yield place.hurtable.stack
    at_rest(place.hurtable.stack, 60)


def run(place: Place, folder: Path, *slos: LoadSlo, **said: Any) -> tuple[int, Record]:
    """Run a workload; return the exit code and what is kept of it."""
    asked = Asked(place, profile(**said), slos, 1, "make load")
    code = campaign(asked, folder, 1, baseline=False)
    return code, Record.read(folder / "load.json")


def smoke(place: Place, folder: Path) -> tuple[int, Record]:
    """Run the gate as it ships, with its own objectives."""
    load = place.host.load
    asked = Asked(place, profiles(load)["smoke"], objectives(load, "smoke"), 1, "make load PROFILE=smoke")
    code = campaign(asked, folder, 1, baseline=False)
    return code, Record.read(folder / "load.json")


def cli(*words: str, expect: int) -> str:
    """Run the command; return what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "loadtests", *words],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG,
    )
    said = done.stdout + done.stderr
    assert done.returncode == expect, said
    assert "Traceback" not in said
    return said


# -- objectives that are kept


def test_smoke_keeps_its_objectives_within_two_minutes(place: Place, tmp_path: Path) -> None:
    began = time.monotonic()
    said = cli("inventories/integration", "--profile", "smoke", "--folder", str(tmp_path), expect=KEPT)
    assert time.monotonic() - began < TWO_MINUTES
    assert "BROKEN" not in said
    assert {"load.json", "locust.html", "locust.log", "figures.json", "junit.xml"} <= set(os.listdir(tmp_path))
    assert not (tmp_path / "target.json").exists()  # it held a password
    record = Record.read(tmp_path / "load.json")
    assert record.verdicts
    assert record.drained is not None
    assert len(record.samples) > 20
    assert all(sample.redis_memory and sample.workers for sample in record.samples)


def test_it_is_watched_through_the_eyes_of_nobody_else(place: Place, stack: Stack, tmp_path: Path) -> None:
    """What the watcher sees is what Redis and the containers say themselves."""
    code, record = run(place, tmp_path, LATE, LOST, MEMORY)
    assert code == KEPT
    assert record.redis_maxmemory == int(str(stack.client().config_get("maxmemory")["maxmemory"]))
    assert set(record.samples[0].workers) == {node.celery_name for node in stack.workers}
    resident = sum(_resident(pid) for node in stack.workers for pid in _pids(node.container))
    seen = sum(record.samples[-1].workers.values())
    assert resident / 3 < seen <= resident * 1.05  # what is shared counts once


def test_watching_takes_less_than_a_fiftieth_of_a_core(place: Place, stack: Stack) -> None:
    began = time.monotonic()
    with Watcher(Broker(place.fleet, place.host), place.sizes) as watcher:
        wait_until("ten samples", lambda: len(watcher.seen) >= 10, 30)
    share = watcher.cost / (time.monotonic() - began)
    print(f"watching {len(stack.workers)} worker takes {share:.2%} of a core")
    assert share < 0.02


def _pids(container: Any) -> list[int]:
    return [int(pid) for (pid,) in container.top(ps_args="-eo pid")["Processes"]]


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# -- the same objectives, broken by faults that are real


def test_a_worker_that_is_slowed_down_is_named(
    place: Place, stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It gets a fiftieth of a core."""
    with slowed(stack, 0.02):
        code, record = smoke(place, tmp_path)
    assert code == BROKEN
    assert "BROKEN in smoke: end_to_end_p95 of short at most 0.25 s (" in capsys.readouterr().err
    assert max(sum(sample.backlog.values()) + sample.unacked for sample in record.samples) > RATE


@contextmanager
def slowed(stack: Stack, share: float) -> Iterator[None]:
    period = 100_000  # microseconds
    for node in stack.workers:
        node.container.update(cpu_period=period, cpu_quota=int(share * period))
    try:
        yield
    finally:
        for node in stack.workers:
            node.container.update(cpu_quota=-1)


def test_a_redis_that_is_throttled_is_named(
    place: Place, stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = stack.redis.host
    host.throttle("128kbit")
    try:
        code, _ = smoke(place, tmp_path)
    finally:
        host.heal()
    assert code == BROKEN
    assert "BROKEN in smoke: end_to_end_p95 of short at most 0.25 s (" in capsys.readouterr().err


def test_a_queue_without_a_consumer_is_named(
    place: Place, stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [node.celery_name for node in stack.workers]
    assert set(stack.command("cancel_consumer", names, queue="slow")) == set(names)
    try:
        code, record = smoke(place, tmp_path)
    finally:
        stack.command("add_consumer", names, queue="slow")
    assert code == BROKEN
    said = capsys.readouterr().err
    (lost,) = (one for one in record.verdicts if one.measure == "lost")
    assert lost.value
    assert f"lost at most 0 tasks ({lost.value:.4g} tasks)" in said
    assert "end_to_end_p95 of short" not in said  # the other queue is served as ever
    assert record.drained is None
    assert record.samples[-1].backlog["slow"] >= lost.value


# -- what is no verdict


def test_a_generator_that_stood_still_decides_nothing(
    place: Place, stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is stopped for longer than an arrival may be late; the system would have kept its objectives, or not: who knows."""
    with meanwhile(lambda: _stand_still(tmp_path)):
        code, record = run(place, tmp_path, LATE, LOST)
    assert code == SATURATED
    assert "The generator was too slow for the asked rate" in capsys.readouterr().err
    assert not record.verdicts
    assert not (tmp_path / "junit.xml").exists()


def _stand_still(folder: Path) -> None:
    wait_until("it sends", lambda: json.loads((folder / LIVE).read_text())["second"] >= 2, 60, ignoring=Exception)
    (pid,) = [int(child) for child in _children(os.getpid()) if "locust" in Path(f"/proc/{child}/cmdline").read_text()]
    os.kill(pid, signal.SIGSTOP)
    pass_time(1.0)
    os.kill(pid, signal.SIGCONT)


def _children(pid: int) -> list[str]:
    return [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


@contextmanager
def meanwhile(do: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=do)
    thread.start()
    try:
        yield
    finally:
        thread.join()


# -- chaos


def test_faults_happen_while_it_is_measured_and_are_healed(place: Place, stack: Stack, tmp_path: Path) -> None:
    code, record = run(place, tmp_path, LOST, faults=["redis-pause", "worker-term"])
    assert code == KEPT
    assert sorted(fault.name for fault in record.faults) == ["redis-pause", "worker-term"]
    assert all(1 <= fault.at <= fault.until for fault in record.faults)
    assert record.drained is not None


def test_a_run_that_is_ended_in_the_middle_of_a_fault_leaves_nothing_behind(tmp_path: Path, place: Place) -> None:
    said = profile(faults=["worker-freeze"], phases=[{"seconds": 12, "rate": RATE}], name="frozen")
    words = [
        "--profile",
        "frozen",
        "--set",
        f"load_profiles={json.dumps([said.model_dump(exclude_defaults=True)])}",
        "--folder",
        str(tmp_path),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "loadtests", "inventories/integration", *words],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            wait_until("a worker is frozen", lambda: running.poll() is not None or _paused(running.pid), 150)
            running.send_signal(signal.SIGTERM)
            told, _ = running.communicate(timeout=120)
        finally:
            running.kill()
    assert running.returncode == 130, told
    assert "interrupted: what was hurt is healed" in told
    assert "Traceback" not in told
    chosen: dict[str, str | list[str] | bool] = {"label": f"{OWNER}={running.pid}"}
    assert not engine().containers.list(all=True, filters=chosen, ignore_removed=True)
    assert not [one for one in engine().networks.list(filters=chosen) if one.attrs["Labels"].get(LABEL)]


def _paused(owner: int) -> bool:
    chosen: dict[str, str | list[str] | bool] = {"label": f"{OWNER}={owner}"}
    return any(one.status == "paused" for one in engine().containers.list(filters=chosen, ignore_removed=True))
