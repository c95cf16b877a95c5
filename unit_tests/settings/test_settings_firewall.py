"""The firewall lets in who needs a port, by number, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from settings.firewall import confined_to, merged, ports
from unit_tests.settings.fleets import fleet_of

FLEET: dict[str, Any] = {
    "firewall_enabled": True,
    "redis_bind": ["*"],
    "redis_instances": [{"name": "broker"}, {"name": "cache", "purpose": "cache", "port": 6380, "tls_port": 6381}],
    "hosts": {
        "db": {"groups": ["redis", "flower"], "address": "10.0.0.1"},
        "copy": {"groups": ["redis"], "address": "10.0.0.2", "redis_replicaof": "10.0.0.1 6379"},
        "watch": {"groups": ["sentinel"], "address": "10.0.0.3"},
        "work": {"groups": ["celery", "beat"], "address": "work.example.com", "firewall_addresses": ["fd00::5"]},
        "web": {"groups": ["web"], "address": "10.0.0.9"},
    },
}


def guarded(host: str, **said: Any) -> dict[str, dict[str, Any]]:
    fleet, problems = fleet_of({**FLEET, **said})
    assert fleet is not None, problems
    return {str(entry["name"]): entry for entry in ports(fleet, fleet.hosts[host])}


def test_a_broker_is_open_to_workers_copies_and_sentinels() -> None:
    broker = guarded("db")["redis-broker"]
    assert broker["ports"] == [6379]
    assert broker["ipv4"] == ["10.0.0.2/31"]  # the copy and the Sentinel, as one network
    assert broker["ipv6"] == ["fd00::5"]


def test_another_instance_is_closed_to_workers_that_do_not_use_it() -> None:
    cache = guarded("db")["redis-cache"]
    assert cache["ports"] == [6380, 6381]
    assert cache["ipv6"] == []


def test_flower_is_open_to_nobody_but_those_that_are_named() -> None:
    flower = guarded("db", firewall_allow=["10.1.0.0/16"], firewall_allow_flower=["10.2.0.7"])["flower"]
    assert (flower["ipv4"], flower["ipv6"]) == (["10.2.0.7"], [])


def test_further_clients_are_let_in_to_redis_and_sentinel() -> None:
    assert "10.1.0.0/16" in guarded("db", firewall_allow=["10.1.0.0/16"])["redis-broker"]["ipv4"]
    assert "10.1.0.0/16" in guarded("watch", firewall_allow=["10.1.0.0/16"])["sentinel"]["ipv4"]


def test_generators_of_load_are_let_in_where_celery_is() -> None:
    hosts = {**FLEET["hosts"], "gen": {"groups": ["locust"], "address": "10.0.7.7"}}
    assert "10.0.7.7" in guarded("db", hosts=hosts)["redis-broker"]["ipv4"]
    assert "10.0.7.7" not in guarded("db", hosts=hosts)["redis-cache"]["ipv4"]
    assert "10.0.7.7" in guarded("watch", hosts=hosts)["sentinel"]["ipv4"]


def test_a_host_without_a_port_of_ours_or_without_a_firewall_guards_nothing() -> None:
    assert guarded("work") == {}
    assert guarded("db", firewall_enabled=False) == {}


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        ([], []),
        (["10.0.0.1", "10.0.0.1"], ["10.0.0.1"]),
        (["10.0.0.0/24", "10.0.0.7"], ["10.0.0.0/24"]),  # nft refuses a set that overlaps
        (["10.0.0.9", "10.0.0.1", "fd00::1"], ["10.0.0.1", "10.0.0.9"]),
    ],
)
def test_networks_do_not_overlap(networks: list[str], expected: list[str]) -> None:
    assert merged(networks, 4) == expected


def test_celery_is_confined_only_where_the_inventory_says_so_and_never_from_redis() -> None:
    fleet, _ = fleet_of({**FLEET, "celery_networks": ["192.168.0.0/16"]})
    assert fleet is not None
    assert confined_to(fleet, fleet.hosts["work"]) == ["10.0.0.1", "10.0.0.2/31", "192.168.0.0/16"]
    fleet, _ = fleet_of(FLEET)
    assert fleet is not None
    assert confined_to(fleet, fleet.hosts["work"]) == []
