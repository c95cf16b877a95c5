"""`make drill`: what it prints, what it exits with, and that it leaves nothing behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.run import FOLDER, LABEL, OWNER
from engine.daemon import engine
from engine.errors import NotPossible
from integration_tests.checkout import CHECKOUT
from integration_tests.waiting import wait_until

LONG = 300.0  # seconds
INVENTORY = "inventories/integration"


def drill(folder: Path, *words: str, expect: int) -> tuple[str, dict[str, Any]]:
    """Run a drill; return what it said, and its JSON where it got so far."""
    command = [sys.executable, "-m", "drill", INVENTORY, "--folder", str(folder), *words]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=LONG)
    said = done.stdout + done.stderr
    assert done.returncode == expect, said
    file = folder / "drill.json"
    return said, json.loads(file.read_text()) if file.exists() else {}


@pytest.fixture(autouse=True)
def _docker() -> None:
    try:
        engine()
    except NotPossible as error:
        pytest.skip(str(error))


def left() -> list[str]:
    """Return the containers and networks of runs that have ended, and the mounts."""
    client = engine()
    chosen: dict[str, str | list[str] | bool] = {"label": LABEL}
    labels = [container.labels for container in client.containers.list(all=True, filters=chosen, ignore_removed=True)]
    labels += [network.attrs["Labels"] for network in client.networks.list(filters=chosen)]
    ended = [of for of in labels if not Path(f"/proc/{of[OWNER]}").exists()]
    mounts = Path("/proc/mounts").read_text()
    return [*(str(of) for of in ended), *(of[FOLDER] for of in labels if of in ended and of[FOLDER] in mounts)]


def test_a_drill_tells_each_fault_and_leaves_nothing_behind(tmp_path: Path) -> None:
    faults = ("child-kill", "redis-kill", "worker-term", "redis-connections")
    chosen = [word for fault in faults for word in ("--fault", fault)]
    said, told = drill(tmp_path, *chosen, "--count", "4", "--minutes", "0.4", "--seed", "7", expect=0)
    assert sorted(fault["name"] for fault in told["faults"]) == sorted(faults)
    for fault in faults:
        assert re.search(rf"^kept +{fault} ", said, re.MULTILINE), said
    assert told["verdict"]["submitted"] > 300
    assert told["verdict"]["finished"] >= told["verdict"]["acknowledged"] - len(told["verdict"]["lost"])
    assert (tmp_path / "history.jsonl").stat().st_size > 0
    assert not left()


def test_a_drill_finds_a_promise_that_is_broken(tmp_path: Path) -> None:
    broken = [f"celery_task_{name}_on_worker_lost=false" for name in ("reject", "retry")]
    words = [word for setting in broken for word in ("--set", setting)]
    said, told = drill(
        tmp_path, *words, "--fault", "children-kill", "--count", "5", "--minutes", "0.3", "--rate", "60", expect=1
    )
    assert re.search(r"^FAILED +children-kill .* lost \d+, may lose 0", said, re.MULTILINE), said
    assert told["verdict"]["lost"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fault", "redis-kil"], "FAULT=redis-kil is not known: choose of"),
        (["--matrix", "redis=9"], "MATRIX: 'redis=9' is not known: choose of"),
        (["--matrix", "redis=7,8"], "a drill is of one combination"),
        (["--set", "celery_task_time_limt=4"], "write celery_task_time_limit"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path: Path, words: list[str], message: str) -> None:
    said, _ = drill(tmp_path, *words, expect=2)
    assert message in said
    assert "Traceback" not in said


def _cut_hosts(owner: int) -> list[str]:
    """Return the hosts of a process's run whose network is cut."""
    chosen: dict[str, str | list[str] | bool] = {"label": f"{OWNER}={owner}"}
    hosts = [
        of for of in engine().containers.list(filters=chosen) if "sleep infinity" in " ".join(of.attrs["Config"]["Cmd"])
    ]
    return [str(host.name) for host in hosts if host.exec_run(["nft", "list", "table", "inet", "bench"])[0] == 0]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Start processes that Ctrl-C ends: what a shell starts in the background ignores it, and so would what that starts."""
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a handler, other than "ignore", is not inherited
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_a_drill_that_is_ended_in_the_middle_of_a_cut_leaves_nothing_behind(
    tmp_path: Path, ended_by: signal.Signals
) -> None:
    words = ["--folder", str(tmp_path), "--fault", "redis-cut", "--count", "1", "--minutes", "0.05"]
    with subprocess.Popen(
        [sys.executable, "-m", "drill", INVENTORY, *words],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            wait_until("Redis is cut off", lambda: running.poll() is not None or _cut_hosts(running.pid), 120)
            running.send_signal(ended_by)
            said, _ = running.communicate(timeout=120)
        finally:
            running.kill()
    assert running.returncode == 130, said
    assert "interrupted: what was hurt is healed" in said
    assert "Traceback" not in said
    kinds = [json.loads(line)["event"] for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert kinds.count("fault") == 1
    assert not left()
