"""What newcomers get wrong: make fails, without a traceback, and its last line says what to do."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import redis

from integration_tests.checkout import Run
from integration_tests.local.clone import Clone
from integration_tests.waiting import wait_until

SOON = 30.0  # seconds: nobody waits longer for the news that a port is taken
CLOSED = "http://127.0.0.1:9/simple"  # discard: nobody listens there


def last_line(run: Run) -> str:
    """Return the sentence that a failed make ends in."""
    assert "Traceback" not in run.output, run.output
    return run.said[-1]


def test_deploy_without_env(prepared: Clone) -> None:
    """One line that names the inventories."""
    run = prepared.make("deploy", expect=2)
    assert len(run.said) == 1
    assert "ENV=" in last_line(run)
    assert "local" in last_line(run)


@pytest.mark.parametrize("word", ["validate", "deploy", "verify"])
def test_misspelt_env_suggests_the_right_one(prepared: Clone, word: str) -> None:
    """`ENV=lcoal` is told from `local`."""
    said = last_line(prepared.make(word, "ENV=lcoal", expect=2))
    assert "lcoal" in said
    assert "local" in said


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("redis_maxmemmory: 96mb", "redis_maxmemory"),
        ("redis_maxmemory: 96 apples", "redis_maxmemory"),
        ("celery_task_soft_time_limit: 600", "60 s, before its soft limit"),
    ],
)
def test_broken_setting_is_refused_with_its_place(prepared: Clone, line: str, told: str) -> None:
    """`make up` touches nothing; file and line, the nearest name or the fix, and a last line that says it all."""
    prepared.override_file.write_text(f"---\n{line}\n")
    try:
        run = prepared.make("up", expect=2)
    finally:
        prepared.override_file.unlink()
    assert "zz_test.yml:2" in run.output
    assert told in run.output
    assert "nothing was touched" in last_line(run)


@contextlib.contextmanager
def silent(port: int, folder: Path) -> Iterator[None]:
    """Take connections and never answer."""
    with socket.create_server(("127.0.0.1", port)):
        yield


@contextlib.contextmanager
def web(port: int, folder: Path) -> Iterator[None]:
    """Speak HTTP."""
    server = http.server.HTTPServer(("127.0.0.1", port), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def another_redis(port: int, folder: Path) -> Iterator[None]:
    """Be a Redis of somebody else."""
    config = folder / "redis.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\nrequirepass of-somebody-else\nlogfile {folder}/log\n"
    )
    with subprocess.Popen([os.environ["SCRATCH_REDIS"], str(config)]) as server:
        client = redis.Redis(port=port, password="of-somebody-else")
        wait_until("the other Redis answers", client.ping, 10, ignoring=redis.RedisError)
        yield
        server.terminate()


Listener = Callable[[int, Path], AbstractContextManager[None]]


@pytest.mark.parametrize("listener", [silent, web, another_redis])
def test_port_taken(prepared: Clone, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """redis_port is remembered, and meanwhile somebody else has it: told within seconds, with the way out."""
    prepared.make("down")
    port = prepared.machine["redis_port"]
    monkeypatch.setenv("SCRATCH_REDIS", prepared.machine["redis_server_binary"])
    with listener(port, tmp_path):
        run = prepared.make("up", expect=2)
    assert f"127.0.0.1:{port}" in last_line(run)
    assert "redis_port" in last_line(run)
    assert run.seconds < SOON


def test_no_network(bare: Clone) -> None:
    """Neither pip nor uv reaches an index, and there is no cache: the last line names the network and the mirror."""
    home = Path(bare.environment["HOME"])
    for name in [name for name in bare.environment if name.startswith(("PIP_", "UV_"))]:
        del bare.environment[name]
    bare.environment |= {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": CLOSED,
        "PIP_RETRIES": "0",
        "PIP_CACHE_DIR": str(home / "pip"),
        "UV_CACHE_DIR": str(home / "uv"),
        "UV_HTTP_RETRIES": "0",
    }
    run = bare.make("up", expect=2)
    assert "network" in last_line(run)
    assert "PIP_INDEX_URL" in last_line(run)
    assert not bare.root.exists()


def test_python_too_old(bare: Clone) -> None:
    """Python 3.10 is told apart before anything is made."""
    old = next(Path.home().glob(".pyenv/versions/3.[6-9].*/bin/python"), None) or next(
        Path.home().glob(".pyenv/versions/3.10.*/bin/python"), None
    )
    if not old:
        pytest.skip("no Python older than 3.11 below ~/.pyenv")
    run = bare.make("up", f"PYTHON={old}", expect=2)
    assert len(run.said) == 1
    assert "too old" in last_line(run)
    assert "3.11" in last_line(run)
    assert "PYTHON=" in last_line(run)
    assert not bare.folder.joinpath(".venv").exists()
