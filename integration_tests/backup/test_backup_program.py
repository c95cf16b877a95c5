"""A backup holds what Redis held, is proven when it is made, and endangers nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import redis

from integration_tests.backup.conftest import Server
from templates.opt.redis import backup

KEYS = 1000


def backups(server: Server) -> list[Path]:
    """Return the backups, oldest first."""
    return sorted((server.folder / "backups/broker").glob("*.rdb"))


def state(server: Server) -> dict[str, Any]:
    """Return what came of the last run."""
    said: dict[str, Any] = json.loads((server.folder / "backups/broker/state.json").read_text())
    return said


def test_a_backup_holds_every_key_and_says_so(server: Server) -> None:
    server.start()
    with server.client() as client:
        client.mset({f"key-{number}": "x" for number in range(KEYS)})
        client.set("leaves", "x", ex=3600)
    assert backup.run(server.config, []) == 0
    made = state(server)["last"]
    assert (made["keys"], made["expires"]) == (KEYS + 1, 1)
    path = backups(server)[-1]
    assert path.name == made["name"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == made["sha256"]
    assert Path(f"{path}.sha256").read_text() == f"{made['sha256']}  {path.name}\n"
    server.stop()
    shutil.rmtree(server.data)
    server.data.mkdir()
    shutil.copy(path, server.data / "dump.rdb")
    server.options = {"appendonly": "no"}
    server.start()
    assert server.client().dbsize() == KEYS + 1


def test_its_user_reads_and_changes_nothing(server: Server) -> None:
    server.start()
    for words in (
        ("GET", "key"),
        ("SET", "key", "x"),
        ("KEYS", "*"),
        ("CONFIG", "GET", "dir"),
        ("SYNC",),
        ("SHUTDOWN",),
    ):
        with server.client("backup") as client, pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*words)


def test_a_snapshot_that_fails_stops_no_write_of_an_append_only_broker(server: Server) -> None:
    server.start()
    with server.client() as client:
        client.set("key", "x")
        (server.data / "dump.rdb").mkdir()  # nothing can be renamed to it
        assert backup.run(server.config, []) == 1
        assert client.info("persistence")["rdb_last_bgsave_status"] == "err"
        assert client.set("key", "still written")
        assert "the snapshot failed" in state(server)["error"]
        client.config_set("save", "900 1")  # the control: with save points, the same failure stops every write
        with pytest.raises(redis.ResponseError, match="MISCONF"):
            client.set("key", "refused")
        client.config_set("save", "")
    (server.data / "dump.rdb").rmdir()
    assert backup.run(server.config, []) == 0
    assert state(server)["error"] == ""


def test_a_wrong_password_fails_at_once_and_keeps_what_is_known(server: Server) -> None:
    server.start()
    assert backup.run(server.config, []) == 0
    wrong = {**server.config, "instances": [{**server.instance, "password": "wrong"}]}
    assert backup.run(wrong, []) == 1
    assert "refuses the password" in state(server)["error"]
    assert state(server)["last"]["name"] == backups(server)[-1].name


def test_a_server_that_is_down_fails(server: Server) -> None:
    assert backup.run(server.config, []) == 1
    assert "Could not connect" in state(server)["error"]


def test_a_damaged_backup_is_found(server: Server) -> None:
    server.start()
    server.client().mset({f"key-{number}": "x" for number in range(KEYS)})
    assert backup.run(server.config, []) == 0
    path = backups(server)[-1]
    assert backup.prove(server.program, path) == (KEYS, 0)
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
    for damage in (whole[:-100], flipped):
        path.write_bytes(damage)
        with pytest.raises(backup.Failed, match="damaged"):
            backup.prove(server.program, path)
