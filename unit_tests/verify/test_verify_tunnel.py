"""The way to Redis through SSH: which host leads where, and that names of this process lead there."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from settings.loader import load
from settings.localhost import free_ports
from verify.redirect import redirected
from verify.tunnel import NoTunnel, command, connections, routes, tunnel

SANE = Path(__file__).resolve().parents[1] / "settings" / "sane"


def test_a_broker_is_asked_through_a_worker_host() -> None:
    """Whoever is a worker is let through the firewall; names stay, as certificates hold for them."""
    found = routes(load(SANE / "tls-fleet.yml").fleet)
    assert found == {"w1": {("db.example.com", port): ("db.example.com", port) for port in (6379, 6380)}}


def test_a_drill_chooses_the_host_that_it_asks_through() -> None:
    """A worker host may be cut off by a fault."""
    assert set(routes(load(SANE / "tls-fleet.yml").fleet, "db")) == {"db"}


def test_a_broker_on_loopback_is_asked_on_its_own_host() -> None:
    """By the address that others would use, and by the one that its own host's clients use."""
    found = routes(load(SANE / "one-server.yml").fleet)
    assert found == {
        "shop": {("203.0.113.5", 6379): ("127.0.0.1", 6379), ("127.0.0.1", 6379): ("127.0.0.1", 6379)},
    }


def test_sentinels_and_a_managed_redis_are_reached_too() -> None:
    """Each Sentinel, and the address of redis_managed_url."""
    sentinels = routes(load(SANE / "sentinels.yml").fleet)["w"]
    assert {address for address in sentinels if address[1] == 26379} == {(f"10.0.2.{n}", 26379) for n in (1, 2, 3)}
    assert routes(load(SANE / "managed.yml").fleet) == {
        "w1": {("redis.example.com", 6380): ("redis.example.com", 6380)}
    }


def test_ssh_is_called_as_ansible_would() -> None:
    """Key, port, user and further options of the inventory."""
    words = command(
        "w1",
        {
            "ansible_host": "10.0.1.1",
            "ansible_port": 2222,
            "ansible_user": "deploy",
            "ansible_ssh_private_key_file": "/keys/id",
            "ansible_ssh_common_args": "-o 'UserKnownHostsFile=/keys/known hosts'",
        },
        {20000: ("10.0.0.5", 6379), 20001: ("fd00::5", 6379)},
    )
    said = " ".join(words)
    assert words[-1] == "10.0.1.1"
    assert "UserKnownHostsFile=/keys/known hosts" in words
    for part in (
        "-i /keys/id",
        "-p 2222",
        "-l deploy",
        "127.0.0.1:20000:10.0.0.5:6379",
        "127.0.0.1:20001:[fd00::5]:6379",
    ):
        assert part in said


def test_only_hosts_behind_ssh_are_logged_in_to(tmp_path: Path) -> None:
    """A host with ansible_connection: local has no tunnel."""
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all: {hosts: {here: {ansible_connection: local}, there: {ansible_user: me}}}\n")
    found = connections(inventory)
    assert list(found) == ["there"]
    assert found["there"]["ansible_user"] == "me"


def test_names_lead_to_the_tunnel_and_only_those() -> None:
    """A name that nobody else resolves is connected to a port of this machine."""
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        with redirected({("broker.invalid", 6379): port}):
            socket.create_connection(("broker.invalid", 6379), timeout=5).close()
            with pytest.raises(OSError, match=r"."):
                socket.create_connection(("broker.invalid", 6380), timeout=5)
        with pytest.raises(OSError, match=r"."):
            socket.create_connection(("broker.invalid", 6379), timeout=5)


def test_a_host_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One sentence: which host, what ssh says, what to check."""
    inventory = tmp_path / "hosts.yml"
    text = (SANE / "one-server.yml").read_text()
    inventory.write_text(text.replace("203.0.113.5", "127.0.0.1, ansible_port: 9"))
    told = r"shop cannot be reached by SSH.*Check that `ssh` gets there"
    with pytest.raises(NoTunnel, match=told), tunnel(load(inventory).fleet, inventory):
        pass
