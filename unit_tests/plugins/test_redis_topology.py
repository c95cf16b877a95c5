"""The master of the moment: who is believed, and what is never done to a master with data."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def topology(plugin: Callable[[str], ModuleType]) -> ModuleType:
    return plugin("modules/redis_topology")


@pytest.fixture
def told(topology: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """Answers of servers: (host, first words) → raw answer; who is not in it is silent."""
    answers: dict[tuple[str, str], str] = {}
    shared = sys.modules["ansible.module_utils.redis_master"]
    monkeypatch.setattr(shared, "ask", lambda params, server, *words: answers.get((server["host"], words[0]), ""))
    return answers


def sentinel_says(master: str, epoch: int) -> str:
    return f"name\nbroker\nip\n{master}\nport\n6379\nconfig-epoch\n{epoch}"


INSTANCE: dict[str, Any] = {
    "name": "broker",
    "address": "10.0.0.1",
    "host": "127.0.0.1",
    "port": 6379,
    "tls": [],
    "replicaof": "",
    "watched": True,
    "sentinels": [{"host": host, "port": 26379} for host in ("10.0.0.1", "10.0.0.2", "10.0.0.3")],
    "members": [{"host": host, "port": 6379} for host in ("10.0.0.1", "10.0.0.2")],
}
PARAMS: dict[str, Any] = {"passwords": []}


def test_the_sentinel_of_the_newest_epoch_is_believed(topology: ModuleType, told: dict[tuple[str, str], str]) -> None:
    told["10.0.0.1", "SENTINEL"] = sentinel_says("10.0.0.1", 3)  # it was cut off during the failover
    told["10.0.0.2", "SENTINEL"] = sentinel_says("10.0.0.2", 4)
    assert topology.due_master(PARAMS, INSTANCE) == ("10.0.0.2 6379", "sentinel")


def test_before_there_are_sentinels_the_servers_are_asked(
    topology: ModuleType, told: dict[tuple[str, str], str]
) -> None:
    told["10.0.0.2", "INFO"] = "role:master\nconnected_slaves:0"
    assert topology.due_master(PARAMS, INSTANCE) == ("10.0.0.2 6379", "servers")
    told["10.0.0.1", "INFO"] = "role:master\nconnected_slaves:1"
    assert topology.due_master(PARAMS, INSTANCE) == ("", "servers")


def test_where_nobody_knows_the_settings_decide(topology: ModuleType, told: dict[tuple[str, str], str]) -> None:
    assert topology.due_master(PARAMS, INSTANCE) == ("", "settings")
    assert topology.due_master(PARAMS, {**INSTANCE, "replicaof": "10.0.0.9 6379"}) == ("10.0.0.9 6379", "settings")
    told["10.0.0.2", "SENTINEL"] = sentinel_says("10.0.0.2", 4)
    assert topology.due_master(PARAMS, {**INSTANCE, "watched": False}) == ("", "settings")


def test_the_file_of_redis_is_read_for_its_master_only(topology: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "topology.conf"
    assert topology.written(str(file)) is None
    topology.write(str(file), "10.0.0.2 6379")
    assert topology.written(str(file)) == "10.0.0.2 6379"
    assert file.stat().st_mode & 0o777 == 0o640
    file.write_text('maxmemory 1gb\nmasterauth "x"\n')  # as CONFIG REWRITE leaves it on a master
    assert topology.written(str(file)) == ""


class RefusedError(Exception):
    """The module failed."""


class Module:
    """As AnsibleModule, as far as it is used here."""

    check_mode = False

    def fail_json(self, msg: str) -> None:
        raise RefusedError(msg)


class Server:
    """A running Redis."""

    def __init__(self, master: str, keys: int) -> None:
        self.master, self.keys, self.told = master, keys, [""]

    def call(self, *words: str) -> str:
        if words == ("INFO", "replication"):
            host, _, port = self.master.partition(" ")
            return f"role:slave\nmaster_host:{host}\nmaster_port:{port}" if host else "role:master\nconnected_slaves:0"
        if words == ("INFO", "keyspace"):
            return f"db0:keys={self.keys},expires=0" if self.keys else ""
        self.told = list(words)
        return "OK"


@pytest.mark.parametrize(
    ("master", "keys", "by", "expected"),
    [
        ("10.0.0.2 6379", 5, "sentinel", [""]),  # as it shall be
        ("", 0, "sentinel", ["REPLICAOF", "10.0.0.2", "6379"]),  # fresh and empty
        ("", 5, "sentinel", [""]),  # an old master: Sentinel turns it
        ("10.0.0.9 6379", 5, "sentinel", [""]),  # Sentinel's to turn
        ("10.0.0.9 6379", 5, "settings", ["REPLICAOF", "10.0.0.2", "6379"]),
    ],
)
def test_a_running_server_is_turned_only_where_nobody_else_does(
    topology: ModuleType, master: str, keys: int, by: str, expected: list[str]
) -> None:
    server = Server(master, keys)
    topology.attach(Module(), INSTANCE, server, "10.0.0.2 6379", by)
    assert server.told == expected


def test_a_master_with_data_is_never_made_a_replica(topology: ModuleType) -> None:
    server = Server("", 7)
    with pytest.raises(RefusedError, match="7 keys"):
        topology.attach(Module(), INSTANCE, server, "10.0.0.2 6379", "settings")
    assert server.told == [""]


def test_a_replica_becomes_a_master_where_the_settings_say_so(topology: ModuleType) -> None:
    server = Server("10.0.0.2 6379", 7)
    topology.attach(Module(), INSTANCE, server, "", "settings")
    assert server.told == ["REPLICAOF", "NO", "ONE"]
