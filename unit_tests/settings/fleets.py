"""Fleets for tests, built without files: a good base, and what a case says beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from settings.fleet import Fleet
from settings.loader import read_fleet
from settings.problem import Problem
from settings.raw import RawHost, Variable

PASSWORDS = {
    name: f"{name}-0123456789abcdef"
    for name in ("admin", "worker", "producer", "control", "verifier", "health", "backup")
}
BASE: dict[str, Any] = {"redis_passwords": PASSWORDS}
BASE_HOSTS: dict[str, dict[str, Any]] = {"one": {"groups": ["redis", "celery", "beat"]}}
ADDRESSES = {"one": "10.0.0.1"}


def raw_host(name: str, groups: list[str], values: Mapping[str, Any]) -> RawHost:
    """Return a host as an inventory would have it, every variable from a file of no name."""
    variables = {key: Variable(name=key, value=value, place="") for key, value in values.items()}
    return RawHost(name=name, groups=tuple(sorted((*groups, "all"))), variables=variables)


def raw_fleet(case: Mapping[str, Any]) -> tuple[dict[str, RawHost], dict[str, str]]:
    """Return the hosts and addresses of a case: see rule_cases/README.md."""
    common = {key: value for key, value in case.items() if key not in ("at", "hosts")}
    hosts: dict[str, RawHost] = {}
    addresses: dict[str, str] = {}
    for name, said in case.get("hosts", BASE_HOSTS).items():
        own = {key: value for key, value in said.items() if key not in ("groups", "address")}
        hosts[name] = raw_host(name, said["groups"], {**BASE, **common, **own})
        addresses[name] = said.get("address", ADDRESSES.get(name, "127.0.0.1"))
    return hosts, addresses


def fleet_of(case: Mapping[str, Any]) -> tuple[Fleet | None, list[Problem]]:
    """Return the fleet of a case, and what keeps it from being one."""
    return read_fleet(*raw_fleet(case))
