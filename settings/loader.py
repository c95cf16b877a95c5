"""From an inventory to a validated `Fleet`, or to every problem of it at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from settings.describe import Item, Section, described
from settings.fleet import Fleet, HostSettings
from settings.inventory import RawHost, Variable, place_in, read_inventory
from settings.model import SECTIONS, Celery, Host, Redis, Sentinel, Stack
from settings.model.redis import RedisOptions
from settings.problem import InventoryRefused, Problem, errors, merge_hosts
from settings.rules import findings

# Names that begin so are ours: an unknown one is a misspelling.
PREFIXES = ("redis_", "celery_", "sentinel_", "host_", "stack_", "process_manager", "accepted_risks")
# A name of ours that is no setting: where a run stages files.
RESERVED = ("stack_stage_root",)
MASK = "********"


@dataclass(frozen=True)
class Loaded:
    """A fleet that may be deployed, with the warnings and accepted risks that go with it."""

    fleet: Fleet
    findings: tuple[Problem, ...]


def known_variables() -> dict[str, tuple[type[Section], str]]:
    """Map every flat variable to its section and field."""
    return {section.variable(name): (section, name) for section in SECTIONS for name in section.model_fields}


KNOWN = known_variables()


def _nearest(name: str, candidates: list[str]) -> str:
    near = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    return near[0] if near else ""


def is_secret(variable: str) -> bool:
    """Whether a variable or one of its parts may never be printed."""
    if variable not in KNOWN:
        return any(word in variable for word in ("password", "secret", "token"))
    section, field = KNOWN[variable]
    return described(section.model_fields[field]).secret


def _shown(variable: str, path: tuple[str | int, ...], value: Any) -> str:
    if is_secret(variable) or any("password" in str(step) or "secret" in str(step) for step in path):
        return MASK
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    if isinstance(value, Mapping) and any("password" in str(key) for key in value):
        return MASK
    return text if len(text) <= 80 else text[:77] + "..."


def _unknown(host: RawHost, variable: Variable) -> Problem:
    near = _nearest(variable.name, list(KNOWN))
    return Problem(
        rule="unknown",
        variable=variable.name,
        where=variable.place,
        message="there is no setting of this name",
        fix=f"write {near}" if near else "see docs/settings.md; name variables of your own without our prefixes",
        hosts=(host.name,),
    )


# What to do about the errors that pydantic words itself.
_FIXES = {
    "missing": "add it",
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "list_type": "write a list, one entry per line after a dash",
    "dict_type": "write `key: value` lines",
    "model_type": "write `key: value` lines",
    "string_type": "write text",
    "int_from_float": "write a whole number",
    "int_parsing": "write a whole number",
    "float_parsing": "write a number",
    "too_short": "add an entry",
}


def _message(error: Mapping[str, Any], model: type[Item] | type[Section] | None) -> tuple[str, str, str]:
    """Return rule, message and fix of a pydantic error."""
    kind, context = error["type"], error.get("ctx", {})
    if "fix" in context:
        return kind, context["message"], context["fix"]
    if kind == "extra_forbidden":
        key = str(error["loc"][-1])
        known = list(model.model_fields) if model else []
        near = _nearest(key, known)
        return "unknown", "there is no such key here", f"write {near}" if near else f"use one of: {', '.join(known)}"
    if kind == "literal_error":
        near = _nearest(str(error["input"]), [word.strip("' ") for word in context["expected"].replace(" or ", ",").split(",")])
        return "choice", f"it must be {context['expected']}", f'write "{near}"' if near else f"write {context['expected']}"
    if kind == "missing":
        return "missing", f"the key {error['loc'][-1]!r} is missing", f"add {error['loc'][-1]}:"
    if kind in ("greater_than_equal", "greater_than", "less_than_equal", "less_than"):
        bound = next(iter(context.values()))
        return "range", error["msg"].replace("Input", "it"), f"write {bound:g} or a value on the right side of it"
    if kind == "string_pattern_mismatch":
        return "pattern", f"it must match {context['pattern']}", "leave out the other characters"
    return kind.replace("_", "-"), error["msg"].replace("Input", "it"), _FIXES.get(kind, "see docs/settings.md")


def _model_at(section: type[Section], loc: tuple[str | int, ...]) -> type[Item] | type[Section] | None:
    """Return the model that the key at the end of `loc` belongs to."""
    model: type[Item] | type[Section] = section
    for step in loc[:-1]:
        if isinstance(step, int):
            continue
        annotation = model.model_fields[step].annotation if step in model.model_fields else None
        inner = [arg for arg in getattr(annotation, "__args__", ()) if isinstance(arg, type) and issubclass(arg, Item)]
        if not inner:
            return None
        model = inner[0]
    return model


def _section_problems(section: type[Section], error: ValidationError, host: RawHost) -> list[Problem]:
    problems = []
    for item in error.errors(include_url=False):
        loc = tuple(step for step in item["loc"] if step != "[key]")
        if not loc:
            continue
        name = section.variable(str(loc[0]))
        path = loc[1:]
        variable = host.variables.get(name)
        inherited = section is Redis and loc[0] == "instances" and len(loc) > 2 and loc[2] in RedisOptions.model_fields
        if inherited and (variable is None or not _has(variable.value, path)):
            continue  # told where it was written: at redis_<option>
        rule, message, fix = _message(item, _model_at(section, loc))
        where = place_in(variable, name, path) if variable else ""
        suffix = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
        shown = "" if item["type"] == "missing" else _shown(name, path, item["input"])
        problems.append(
            Problem(rule=rule, variable=name + suffix, value=shown, where=where, message=message, fix=fix, hosts=(host.name,))
        )
    return problems


def _has(value: Any, path: tuple[str | int, ...]) -> bool:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _plain(value: Any) -> Any:
    """Strip Ansible's tagged types: pydantic's strict checks know only the built-in ones."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    for kind in (str, float):
        if isinstance(value, kind) and type(value) is not kind:
            return kind(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return value


def _read_host(host: RawHost, address: str) -> tuple[HostSettings | None, list[Problem]]:
    problems: list[Problem] = []
    values: dict[type[Section], dict[str, Any]] = {section: {} for section in SECTIONS}
    for name, variable in host.variables.items():
        if name in RESERVED:
            continue
        if name not in KNOWN:
            problems.append(_unknown(host, variable))
        elif variable.error:
            problems.append(
                Problem(
                    rule="vault" if "vault" in variable.error else "template",
                    variable=name,
                    where=variable.place,
                    message=f"its value cannot be read: {variable.error}",
                    fix="name the vault's password file in ANSIBLE_VAULT_PASSWORD_FILE"
                    if "vault" in variable.error
                    else "define what the template names, or write the value",
                    hosts=(host.name,),
                )
            )
        elif variable.value is None and not _may_be_none(name):
            problems.append(
                Problem(
                    rule="empty",
                    variable=name,
                    where=variable.place,
                    message="it is written without a value",
                    fix="write a value, or delete the line to take the default",
                    hosts=(host.name,),
                )
            )
        else:
            section, field = KNOWN[name]
            values[section][field] = _plain(variable.value)
    read: dict[type[Section], Section] = {}
    for section, data in values.items():
        try:
            read[section] = section.model_validate(data)
        except ValidationError as error:
            problems.extend(_section_problems(section, error, host))
    if problems:
        return None, problems
    stack, host_, redis, sentinel, celery = (read[section] for section in SECTIONS)
    assert isinstance(stack, Stack) and isinstance(host_, Host) and isinstance(redis, Redis)
    assert isinstance(sentinel, Sentinel) and isinstance(celery, Celery)
    return HostSettings(host, address, stack, host_, redis, sentinel, celery), []


def _may_be_none(name: str) -> bool:
    section, field = KNOWN[name]
    return type(None) in getattr(section.model_fields[field].annotation, "__args__", ())


def build(hosts: Mapping[str, RawHost], addresses: Mapping[str, str]) -> Loaded:
    """Validate raw hosts and judge them together.

    Args:
        hosts: what `read_hosts` or `read_inventory` returned.
        addresses: host name → address that other hosts reach it by.

    Raises:
        InventoryRefused: with every error; the rules are judged once all hosts are well-formed.
    """
    read: dict[str, HostSettings] = {}
    problems: list[Problem] = []
    for name, raw in hosts.items():
        settings, found = _read_host(raw, addresses.get(name, name))
        problems.extend(found)
        if settings:
            read[name] = settings
    if problems:
        raise InventoryRefused(merge_hosts(problems))
    fleet = Fleet(read)
    judged = merge_hosts(findings(fleet))
    if errors(judged):
        raise InventoryRefused(judged)
    return Loaded(fleet, tuple(judged))


def load(source: Path, *, vault_password_file: str | None = None, limit: str | None = None) -> Loaded:
    """Read, validate and judge an inventory.

    Raises:
        InventoryRefused: with every error of it.
    """
    hosts = read_inventory(
        source, (*PREFIXES, "ansible_host"), vault_password_file=vault_password_file, limit=limit
    )
    return build(*split_addresses(hosts))


def split_addresses(hosts: Mapping[str, RawHost]) -> tuple[dict[str, RawHost], dict[str, str]]:
    """Take `ansible_host` out of the variables: it is Ansible's, and the address of the host."""
    addresses: dict[str, str] = {}
    ours: dict[str, RawHost] = {}
    for name, host in hosts.items():
        variables = dict(host.variables)
        address = variables.pop("ansible_host", None)
        addresses[name] = str(address.value) if address and address.value else name
        ours[name] = RawHost(name=host.name, groups=host.groups, variables=variables)
    return ours, addresses
