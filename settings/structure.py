"""What is wrong with the groups and hosts of an inventory, where Ansible would skip a part with a warning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from settings.fleet import GROUPS
from settings.names import nearest
from settings.places import short
from settings.problem import Problem
from settings.yaml_files import DEEPEST, YAML, Holds, documents, entity, files, line_of, pairs, variable_folders

PARTS = ("hosts", "vars", "children")
NULL = "tag:yaml.org,2002:null"


def group_problems(source: Path) -> Iterator[Problem]:
    """Find groups that are not written as Ansible reads them. The files must be YAML: see `yaml_check`."""
    for file in files(source):
        if file.holds is not Holds.GROUPS:
            continue
        for document in documents(file.path)[:1]:
            if any(key.value == "plugin" for key, _ in pairs(document)):
                continue  # the configuration of a dynamic inventory
            for name, group in pairs(document):
                yield from _group(file.path, name.value, group)


def _empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == NULL


def _wrong(path: Path, node: yaml.Node, name: str, message: str, fix: str) -> Problem:
    return Problem(rule="inventory-group", variable=name, where=short(path, line_of(node)), message=message, fix=fix)


def _group(path: Path, name: str, node: yaml.Node, depth: int = 0) -> Iterator[Problem]:
    if depth > DEEPEST or _empty(node):
        return
    if not isinstance(node, yaml.MappingNode):
        yield _wrong(
            path, node, name, "a group holds `hosts:`, `vars:` or `children:`", f"write {name}: {{hosts: {{db1: }}}}"
        )
        return
    for key, value in pairs(node):
        if key.value not in PARTS:
            near = nearest(key.value, PARTS)
            fix = f"write {near}" if near else f"put it below vars: or hosts: of {name}"
            yield _wrong(
                path, key, f"{name}.{key.value}", "a group holds `hosts:`, `vars:` and `children:`, nothing else", fix
            )
        elif isinstance(value, yaml.SequenceNode) or (
            key.value == "vars" and isinstance(value, yaml.ScalarNode) and not _empty(value)
        ):
            fix = (
                "write `name: value` lines"
                if key.value == "vars"
                else "write every name with a colon behind it, and no dash"
            )
            yield _wrong(path, value, f"{name}.{key.value}", "`name:` lines are due here, not a list or a text", fix)
        elif key.value == "children":
            for child, below in pairs(value):
                yield from _group(path, child.value, below, depth + 1)
        elif key.value == "hosts":
            yield from _hosts(path, name, value)


def _hosts(path: Path, group: str, node: yaml.Node) -> Iterator[Problem]:
    for host, variables in pairs(node):
        if host.tag != "tag:yaml.org,2002:str":
            yield _wrong(path, host, f"{group}.hosts.{host.value}", "a host's name is text", f'write "{host.value}":')
        elif not isinstance(variables, yaml.MappingNode) and not _empty(variables):
            yield _wrong(
                path,
                variables,
                f"{group}.hosts.{host.value}",
                "below a host stand its variables, as `name: value` lines",
                f"write {host.value}: and, if need be, variables below it",
            )


def ini_line(path: Path) -> int:
    """Return the first line of an INI inventory that is neither a group, a host nor name=value; 0 if all are."""
    kind = "hosts"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    for number, line in enumerate(lines, start=1):
        words = line.strip().split()
        if not words or words[0][0] in "#;":
            continue
        if words[0].startswith("["):
            kind = words[0].strip("[]").partition(":")[2] or "hosts"
        elif (kind == "vars" and "=" not in line) or (kind == "hosts" and any("=" not in word for word in words[1:])):
            return number
    return 0


def stray_variables(source: Path, hosts: Iterable[str], groups: Iterable[str]) -> Iterator[Problem]:
    """Find files of variables that nobody reads: of an undefined host or group, or hidden by a folder."""
    known = {"host_vars": set(hosts), "group_vars": {*groups, *GROUPS, "all", "ungrouped"}}
    for folder in variable_folders(source):
        kind = folder.name.removesuffix("_vars")
        seen: dict[str, Path] = {}
        for path in sorted(folder.iterdir(), key=lambda entry: (not entry.is_dir(), entry.suffix, entry.name)):
            if (
                path.name.startswith(".")
                or path.name.endswith("~")
                or (path.is_file() and path.suffix not in ("", *YAML))
            ):
                continue
            name = entity(path)
            if name not in known[folder.name]:
                near = nearest(name, known[folder.name])
                yield Problem(
                    rule="inventory-hosts",
                    variable=kind,
                    value=name,
                    where=short(path),
                    message=f"these are variables of a {kind} that the inventory does not define",
                    fix=f"rename it to {near}{path.suffix if path.is_file() else ''}"
                    if near
                    else f"add the {kind} to hosts.yml, or delete it",
                )
            elif name in seen:
                yield Problem(
                    rule="inventory-shadowed",
                    variable=kind,
                    value=name,
                    where=short(path),
                    message=f"Ansible reads {seen[name].name}{'/' if seen[name].is_dir() else ''} and never this file",
                    fix=f"move it into {seen[name].name}/" if seen[name].is_dir() else "merge the two",
                )
            seen.setdefault(name, path)
