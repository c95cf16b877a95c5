"""What Redis would start without, behind the guard and in front of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from integration_tests.backup.conftest import START, Server
from templates.opt.redis import guard

KEYS = 100


def filled(server: Server) -> Server:
    """Start for the first time, fill, take a snapshot, stop."""
    server.start()
    with server.client() as client:
        client.mset({f"key-{number}": "x" for number in range(KEYS)})
        client.save()
    server.stop()
    return server


def lose(data: Path, what: str) -> None:
    """Take the manifest, or the whole append-only file; older servers have the one file alone."""
    folder, single = data / "appendonlydir", data / "appendonly.aof"
    if what == "manifest" and folder.exists():
        (folder / "appendonly.aof.manifest").unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    else:
        single.unlink()


@pytest.mark.parametrize("what", ["manifest", "append-only file"])
def test_control_redis_itself_starts_empty(server: Server, what: str) -> None:
    lose(filled(server).data, what)
    server.start(guarded=False)
    assert server.client().dbsize() == 0


@pytest.mark.parametrize("what", ["manifest", "append-only file"])
def test_the_guard_refuses(server: Server, what: str) -> None:
    lose(filled(server).data, what)
    before = sorted(path.name for path in server.data.rglob("*"))
    process = server.launch()
    said = process.communicate(timeout=START)[1]
    assert process.returncode == guard.REFUSED
    assert "would start EMPTY" in said
    assert sorted(path.name for path in server.data.rglob("*")) == before


def test_a_restart_with_its_data_passes(server: Server) -> None:
    filled(server).start()
    assert server.client().dbsize() == KEYS
