"""From an inventory to a validated `Fleet`, or to every problem of it at once."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from settings import bundles
from settings.describe import Section
from settings.fleet import Fleet, HostSettings
from settings.inventory import read_inventory
from settings.masking import secrets_of, shown, veil
from settings.messages import section_problems
from settings.model import SECTIONS, Backup, Celery, Firewall, Host, Load, Redis, Sentinel, Stack, Tls
from settings.names import KNOWN, PREFIXES, RESERVED, meant, nearest
from settings.parsing import is_address
from settings.problem import InventoryRefused, Problem, errors, merge_hosts
from settings.raw import RawHost, Variable
from settings.rules import findings
from settings.vaults import FIX as VAULT_FIX

__all__ = ["KNOWN", "PREFIXES", "InventoryRefused", "Loaded", "build", "load", "read_fleet", "split_addresses"]

# Ansible's own variables that we read: where a host is reached.
ADDRESS = "ansible_host"


@dataclass(frozen=True)
class Loaded:
    """A fleet that may be deployed, with the warnings and accepted risks that go with it."""

    fleet: Fleet
    findings: tuple[Problem, ...]


def _problem(host: RawHost, variable: Variable, rule: str, *, message: str, fix: str, value: str = "") -> Problem:
    return Problem(
        rule=rule,
        variable=variable.name,
        value=value,
        where=host.place(variable.name),
        message=message,
        fix=fix,
        hosts=(host.name,),
    )


def _unknown(host: RawHost, variable: Variable) -> Problem:
    near = meant(variable.name) or nearest(variable.name, KNOWN)
    fix = f"write {near}" if near else "see docs/settings.md; name variables of your own without our prefixes"
    return _problem(host, variable, "unknown", message="there is no setting of this name", fix=fix)


def _unread(host: RawHost, variable: Variable) -> Problem | None:
    """Return what is wrong with a variable before its type is looked at."""
    if variable.error.startswith("it is encrypted"):
        return _problem(host, variable, "vault", message=variable.error, fix=VAULT_FIX)
    if variable.error:
        message = f"its value cannot be read: {variable.error}"
        fix = "define what the template names, or write the value"
        return _problem(host, variable, "template", message=message, fix=fix)
    if variable.name == ADDRESS:
        if isinstance(variable.value, str) and is_address(variable.value):
            return None
        message, fix = "the address of a host is a name or a number", "write it like 10.0.0.5"
        return _problem(
            host, variable, "address", message=message, fix=fix, value=shown(variable.name, (), variable.value)
        )
    if variable.name not in KNOWN:
        return _unknown(host, variable)
    if variable.value is None and not _may_be_none(variable.name):
        fix = "write a value, or delete the line to take the default"
        return _problem(host, variable, "empty", message="it is written without a value", fix=fix)
    return None


def _may_be_none(name: str) -> bool:
    section, field = KNOWN[name]
    return type(None) in getattr(section.model_fields[field].annotation, "__args__", ())


def _plain(value: Any) -> Any:
    """Strip Ansible's tagged types: pydantic knows only the built-in ones."""
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.date(value.year, value.month, value.day)
    return value


def _read_host(host: RawHost, address: str) -> tuple[HostSettings | None, list[Problem]]:
    problems: list[Problem] = []
    values: dict[type[Section], dict[str, Any]] = {section: {} for section in SECTIONS}
    complete = True
    for name, variable in host.variables.items():
        if name in RESERVED:
            continue
        problem = _unread(host, variable)
        if problem:
            problems.append(problem)
            complete = complete and name not in KNOWN
        elif name in KNOWN:
            section, field = KNOWN[name]
            values[section][field] = _plain(variable.value)
    read: dict[type[Section], Section] = {}
    for section, data in values.items():
        try:
            read[section] = section.model_validate(data)
        except ValidationError as error:
            problems.extend(section_problems(section, error, host))
            complete = False
    if not complete:
        return None, problems
    stack, host_, firewall, redis, tls, sentinel, celery, backup, load_ = (read[section] for section in SECTIONS)
    if not (
        isinstance(stack, Stack)
        and isinstance(host_, Host)
        and isinstance(firewall, Firewall)
        and isinstance(redis, Redis)
        and isinstance(tls, Tls)
        and isinstance(sentinel, Sentinel)
        and isinstance(celery, Celery)
        and isinstance(backup, Backup)
        and isinstance(load_, Load)
    ):
        raise TypeError("SECTIONS are not in the order in which they are read")
    celery, given = bundles.apply(celery)
    sections = (stack, host_, firewall, redis, tls, sentinel, celery, backup, load_)
    return HostSettings(host, address, *sections, given), problems


def read_fleet(hosts: Mapping[str, RawHost], addresses: Mapping[str, str]) -> tuple[Fleet | None, list[Problem]]:
    """Read every host; return the fleet, unless a host cannot be read, and what is wrong with single settings."""
    read: dict[str, HostSettings] = {}
    problems: list[Problem] = []
    for name, raw in hosts.items():
        settings, found = _read_host(raw, addresses.get(name, name))
        problems.extend(found)
        if settings:
            read[name] = settings
    return (Fleet(read) if len(read) == len(hosts) else None), problems


def _judge(hosts: Mapping[str, RawHost], addresses: Mapping[str, str], others: Iterable[Problem]) -> Loaded:
    fleet, problems = read_fleet(hosts, addresses)
    problems = [*others, *problems]
    if fleet:
        problems.extend(findings(fleet))
    secrets = {text for host in hosts.values() for text in secrets_of(host)}
    problems = merge_hosts(veil(problems, secrets))
    if fleet is None or errors(problems):
        raise InventoryRefused(problems)
    return Loaded(fleet, tuple(problems))


def build(hosts: Mapping[str, RawHost], addresses: Mapping[str, str]) -> Loaded:
    """Validate raw hosts and judge them together.

    Args:
        hosts: what `read_hosts` or `read_inventory` returned.
        addresses: host name → address that other hosts reach it by.

    Raises:
        InventoryRefused: with every error; the rules are judged once all hosts are well-formed.
    """
    return _judge(hosts, addresses, ())


def load(source: Path, *, vault_password_file: str | None = None, limit: str | None = None) -> Loaded:
    """Read, validate and judge an inventory.

    Raises:
        InventoryRefused: with every error of it.
    """
    hosts, problems = read_inventory(source, (*PREFIXES, ADDRESS), vault_password_file=vault_password_file, limit=limit)
    return _judge(*split_addresses(hosts), problems)


def load_unjudged(source: Path) -> Fleet:
    """Read an inventory whose hosts are well-formed; the rules between settings are not asked.

    Raises:
        InventoryRefused: with every error of it.
    """
    hosts, problems = read_inventory(source, (*PREFIXES, ADDRESS))
    fleet, found = read_fleet(*split_addresses(hosts))
    if fleet is None or errors([*problems, *found]):
        raise InventoryRefused([*problems, *found])
    return fleet


def split_addresses(hosts: Mapping[str, RawHost]) -> tuple[dict[str, RawHost], dict[str, str]]:
    """Take `ansible_host` out of the variables: it is Ansible's, and the address of the host.

    One that cannot be read stays, and is reported with the settings.
    """
    addresses: dict[str, str] = {}
    ours: dict[str, RawHost] = {}
    for name, host in hosts.items():
        variables = dict(host.variables)
        address = variables.get(ADDRESS)
        readable = address is not None and not address.error and isinstance(address.value, str)
        if address is None or (readable and is_address(address.value)):
            variables.pop(ADDRESS, None)
        addresses[name] = str(address.value) if address and readable else name
        ours[name] = replace(host, variables=variables)
    return ours, addresses
