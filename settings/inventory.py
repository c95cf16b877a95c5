"""Read an inventory with Ansible's own engine: groups, variables as each host sees them, and their places.

The only module here that imports Ansible. Places (file:line) come from the tags that ansible-core puts on
every value it parses. That is private API: where it is missing, problems are reported without a place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from settings.problem import InventoryRefused, Problem

Place = str
"""`path:line`, relative to the working directory where it is below it; empty if unknown."""


@dataclass(frozen=True)
class Variable:
    """One variable of a host, templated by Ansible."""

    name: str
    value: Any
    place: Place
    literal_parts: tuple[tuple[str | int, ...], ...] = ()  # texts written in clear: neither template nor vault
    error: str = ""  # why it could not be read, for instance an undefined name in it


@dataclass(frozen=True)
class RawHost:
    """A host as the inventory has it."""

    name: str
    groups: tuple[str, ...]
    variables: dict[str, Variable] = field(repr=False)


def _short(path: str, line: int | None) -> Place:
    relative = os.path.relpath(path)
    shown = path if relative.startswith("..") else relative
    return f"{shown}:{line}" if line else shown


def place_of(*tagged: Any) -> Place:
    """Return the place of the first of these values that has one."""
    try:
        from ansible._internal._datatag._tags import Origin
    except ImportError:  # a private API that moved: go on without places
        return ""
    for value in tagged:
        origin = Origin.get_tag(value)
        if origin is not None and origin.path:
            return _short(origin.path, origin.line_num)
    return ""


def place_in(variable: Variable, name: Any, path: tuple[str | int, ...]) -> Place:
    """Return the place of `variable.value[path]`, or of the nearest thing around it that has a place."""
    best = variable.place or place_of(name)
    value: Any = variable.value
    for step in path:
        try:
            key = next(key for key in value if key == step) if isinstance(value, Mapping) else None
            value = value[step]
        except (KeyError, IndexError, TypeError, StopIteration):
            break
        best = place_of(key, value) or best
    return best


def _yaml_files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
        return
    for path in sorted(source.rglob("*")):
        if path.is_file() and (path.suffix in (".yml", ".yaml") or path.parent.name in ("group_vars", "host_vars")):
            yield path


def _duplicate_keys(node: yaml.Node | None, path: Path) -> Iterator[Problem]:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield Problem(
                        rule="yaml-duplicate",
                        variable=key.value,
                        where=_short(str(path), line),
                        message=f"it is written a second time, after line {seen[key.value]}; YAML would keep the last",
                        fix="delete one of the two",
                    )
                seen[key.value] = line
            yield from _duplicate_keys(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _duplicate_keys(value, path)


def syntax_problems(source: Path) -> list[Problem]:
    """Find everything that YAML itself refuses, in every file at once; Ansible would stop at the first."""
    problems: list[Problem] = []
    for path in _yaml_files(source):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(
                Problem(
                    rule="yaml-unreadable",
                    where=_short(str(path), None),
                    message=f"the file cannot be read: {error}",
                    fix="save it as UTF-8 and make it readable",
                )
            )
            continue
        if text.startswith("$ANSIBLE_VAULT"):
            continue
        try:
            documents = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problems.append(
                Problem(
                    rule="yaml-syntax",
                    where=_short(str(path), mark.line + 1 if mark else None),
                    message=f"this is not YAML: {error.problem or error.context}",
                    fix="mend the line; a value that begins with {{ needs quotes, a tab is no indentation",
                )
            )
            continue
        except yaml.YAMLError as error:
            problems.append(
                Problem(
                    rule="yaml-syntax",
                    where=_short(str(path), None),
                    message=f"this is not YAML: {error}",
                    fix="save it as plain UTF-8 text without control characters",
                )
            )
            continue
        if not documents:
            problems.append(
                Problem(
                    rule="yaml-empty",
                    where=_short(str(path), 1),
                    message="the file holds nothing",
                    fix="write a setting into it, or delete the file",
                )
            )
        for document in documents:
            if not isinstance(document, yaml.MappingNode):
                problems.append(
                    Problem(
                        rule="yaml-mapping",
                        where=_short(str(path), document.start_mark.line + 1),
                        message="the file must hold `name: value` lines, and holds something else",
                        fix="write `redis_maxmemory: 512mb`, one setting per line",
                    )
                )
            problems.extend(_duplicate_keys(document, path))
    return problems


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split("\n\n")[0].split())


def _variable(name: str, raw: Any, templated: Mapping[str, Any], vault_error: str) -> Variable:
    from ansible.parsing.vault import EncryptedString

    place = place_of(raw, name)
    try:
        value = templated[name]
        _walk(value)
    # Every failure of a template or a vault is the inventory's, whatever its class: it becomes a problem, never a traceback.
    except Exception as error:  # noqa: BLE001
        hint = vault_error if isinstance(raw, EncryptedString) or "vault" in str(error).lower() else ""
        return Variable(name=str(name), value=None, place=place, error=hint or _one_line(error))
    return Variable(name=str(name), value=value, place=place, literal_parts=tuple(_literals(raw)))


def _literals(raw: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of texts that stand in clear in the file."""
    if isinstance(raw, Mapping):
        for key in raw:
            yield from _literals(raw[key], (*path, str(key)))
    elif isinstance(raw, list):
        for index, entry in enumerate(raw):
            yield from _literals(entry, (*path, index))
    elif isinstance(raw, str) and raw and "{{" not in raw and not _from_vault(raw):
        yield path


def _from_vault(*tagged: Any) -> bool:
    try:
        from ansible._internal._datatag._tags import SourceWasEncrypted, VaultedValue
    except ImportError:
        return False
    return any(SourceWasEncrypted.is_tagged_on(value) or VaultedValue.is_tagged_on(value) for value in tagged)


def _walk(value: Any) -> None:
    """Touch every nested value: Ansible's containers template lazily."""
    if isinstance(value, Mapping):
        for key in value:
            _walk(value[key])
    elif isinstance(value, list | tuple):
        for entry in value:
            _walk(entry)


def read_hosts(hostvars: Any, groups: Mapping[str, list[str]], prefixes: tuple[str, ...]) -> dict[str, RawHost]:
    """Read the variables that carry one of our prefixes, from Ansible's HostVars.

    Args:
        hostvars: `ansible.vars.hostvars.HostVars`, of a running play or of `read_inventory`.
        groups: group name → host names.
        prefixes: what the names of our settings begin with.
    """
    hosts: dict[str, RawHost] = {}
    names = sorted({host for members in groups.values() for host in members})
    for host in names:
        raw = hostvars.raw_get(host)
        templated = hostvars[host]
        variables = {
            str(name): _variable(name, raw[name], templated, "it is encrypted and no vault password opens it")
            for name in raw
            if str(name).startswith(prefixes)
        }
        member_of = tuple(sorted(group for group, members in groups.items() if host in members))
        hosts[host] = RawHost(name=host, groups=member_of, variables=variables)
    return hosts


def read_inventory(
    source: Path, prefixes: tuple[str, ...], *, vault_password_file: str | None = None, limit: str | None = None
) -> dict[str, RawHost]:
    """Read an inventory from a file or folder.

    Raises:
        InventoryRefused: on a missing inventory, broken YAML, an undefined host or a vault that does not open.
    """
    problems = _missing(source) or syntax_problems(source)
    if problems:
        raise InventoryRefused(problems)
    # Importing Ansible takes 0.7 s: a missing inventory is told before that.
    from ansible.cli import CLI
    from ansible.errors import AnsibleError
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import VaultSecretsContext
    from ansible.vars.hostvars import HostVars
    from ansible.vars.manager import VariableManager

    try:
        loader = DataLoader()
        password_files = [vault_password_file] if vault_password_file else []
        secrets = CLI.setup_vault_secrets(
            loader, vault_ids=[], vault_password_files=password_files, auto_prompt=False, initialize_context=False
        )
        loader.set_vault_secrets(secrets)
        if VaultSecretsContext.current(optional=True) is None:  # it may be set once per process
            VaultSecretsContext.initialize(VaultSecretsContext(secrets))
        inventory = InventoryManager(loader=loader, sources=[str(source)])
        groups = {name: members for name, members in inventory.get_groups_dict().items() if name != "ungrouped"}
        if not inventory.hosts:
            raise InventoryRefused([_no_hosts(source)])
        if limit and limit not in inventory.hosts and limit not in groups:
            raise InventoryRefused([_undefined_host(source, limit, sorted(inventory.hosts))])
        stray = _stray_host_vars(source, set(inventory.hosts))
        variables = VariableManager(loader=loader, inventory=inventory)
        hosts = read_hosts(HostVars(inventory, variables, loader), groups, prefixes)
    except AnsibleError as error:
        raise InventoryRefused([_ansible_problem(source, error)]) from error
    if stray:
        raise InventoryRefused(stray)
    return hosts


def _missing(source: Path) -> list[Problem]:
    if source.exists():
        return []
    known = sorted(path.name for path in source.parent.iterdir() if path.is_dir()) if source.parent.is_dir() else []
    return [
        Problem(
            rule="inventory-missing",
            where=str(source),
            message="there is no such inventory",
            fix=f"name one of: {', '.join(known)}" if known else "create it; inventories/production is the commented example",
        )
    ]


def _no_hosts(source: Path) -> Problem:
    return Problem(
        rule="inventory-hosts",
        where=_short(str(source), None),
        message="the inventory names no host",
        fix="list hosts in hosts.yml, below the groups redis and celery",
    )


def _undefined_host(source: Path, host: str, known: list[str]) -> Problem:
    return Problem(
        rule="inventory-hosts",
        where=_short(str(source), None),
        value=host,
        variable="host",
        message="the inventory has no such host or group",
        fix=f"name one of: {', '.join(known)}",
    )


def _stray_host_vars(source: Path, hosts: set[str]) -> list[Problem]:
    folder = source / "host_vars"
    if not folder.is_dir():
        return []
    return [
        Problem(
            rule="inventory-hosts",
            where=_short(str(path), None),
            message=f"these are variables of {path.stem!r}, a host that the inventory does not define",
            fix=f"add the host to hosts.yml, or rename the file to one of: {', '.join(sorted(hosts))}",
        )
        for path in sorted(folder.iterdir())
        if (path.stem if path.suffix in (".yml", ".yaml") else path.name) not in hosts
    ]


def _ansible_problem(source: Path, error: Exception) -> Problem:
    text = _one_line(error)
    if "vault" in text.lower():
        return Problem(
            rule="vault",
            where=place_of(getattr(error, "obj", None)) or _short(str(source), None),
            message="a vault file cannot be opened: " + text,
            fix="name the file with its password in ANSIBLE_VAULT_PASSWORD_FILE",
        )
    return Problem(
        rule="inventory",
        where=place_of(getattr(error, "obj", None)) or _short(str(source), None),
        message=text,
        fix="mend the inventory; docs: https://docs.ansible.com/ansible/latest/inventory_guide/",
    )
