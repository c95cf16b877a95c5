"""The YAML files of an inventory, chosen as Ansible chooses them, and the places of the keys in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import yaml

# What Ansible skips in an inventory folder (INVENTORY_IGNORE_EXTS with REJECT_EXTS, ansible/config/base.yml).
IGNORED = (".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry")
YAML = (".yml", ".yaml", ".json")
VARIABLES = ("group_vars", "host_vars")
VAULT = "$ANSIBLE_VAULT"
DEEPEST = 40  # levels of nesting; an inventory has ten


class Holds(StrEnum):
    """What a file of an inventory says."""

    GROUPS = "groups"  # hosts, groups and their variables
    VARIABLES = "variables"  # variables of one group or host


@dataclass(frozen=True)
class File:
    """A file that Ansible reads."""

    path: Path
    holds: Holds
    scope: str = ""  # "group all", "host db1": whose variables it holds


@dataclass(frozen=True)
class KeyPlace:
    """Where a variable, or `[group]`, is written."""

    name: str
    path: Path
    line: int
    value_line: int
    scope: str
    rank: int  # the higher one wins, as in Ansible's order of precedence


class TooDeep(yaml.MarkedYAMLError):
    """A file that is nested beyond all reason."""


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which would end in a RecursionError where this says what is wrong."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node unless it is too deep."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooDeep(
                problem=f"nested more than {DEEPEST} levels deep",
                problem_mark=cast("Any", self).peek_event().start_mark,
            )
        try:
            node: yaml.Node | None = super().compose_node(parent, index)
            return node
        finally:
            self.depth -= 1


def _visible(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]


def _group_files(source: Path) -> Iterator[File]:
    if not source.is_dir():
        if source.is_file():
            yield File(source, Holds.GROUPS)
        return
    for path in _visible(source):
        if path.name.endswith(IGNORED) or path.name in (
            *VARIABLES,
            "vars_plugins",
            "tls",
        ):  # tls: ansible.cfg, ignore_patterns
            continue
        yield from _group_files(path)


def _below(folder: Path) -> Iterator[Path]:
    for path in _visible(folder):
        if path.is_dir() and not path.suffix:
            yield from _below(path)
        elif path.is_file() and not path.name.endswith("~") and path.suffix in ("", *YAML):
            yield path


def entity(path: Path) -> str:
    """Return the group or host whose variables a file or folder below group_vars or host_vars holds."""
    return path.stem if path.suffix in YAML and not path.is_dir() else path.name


def variable_folders(source: Path) -> Iterator[Path]:
    """Yield group_vars and host_vars of an inventory, where they are."""
    base = source if source.is_dir() else source.parent
    yield from (base / name for name in VARIABLES if (base / name).is_dir())


def _variable_files(source: Path) -> Iterator[File]:
    for folder in variable_folders(source):
        for path in _visible(folder):
            scope = f"{folder.name.removesuffix('_vars')} {entity(path)}"
            if path.is_dir():
                yield from (File(inner, Holds.VARIABLES, scope) for inner in _below(path))
            elif path.suffix in ("", *YAML) and not path.name.endswith("~"):
                yield File(path, Holds.VARIABLES, scope)


def is_script(path: Path) -> bool:
    """Whether Ansible runs a file instead of reading it."""
    if not os.access(path, os.X_OK):
        return False
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def files(source: Path) -> list[File]:
    """Return the files of an inventory that are YAML: those that Ansible reads as such, and nothing else."""
    groups = [file for file in _group_files(source) if file.path.suffix in YAML and not is_script(file.path)]
    return [*groups, *_variable_files(source)]


def compose(text: str) -> list[yaml.Node]:
    """Return the documents of a text that hold something.

    Raises:
        yaml.YAMLError: where it is no YAML.
    """
    loader = Loader(text)
    found = []
    try:
        while loader.check_node():
            found.append(loader.get_node())
    finally:
        loader.dispose()
    return [node for node in found if node is not None]


def key_places(source: Path) -> Iterator[KeyPlace]:
    """Yield every variable and every group of an inventory with its place; files that are no YAML have none."""
    for file in files(source) if source.exists() else []:
        for document in documents(file.path):
            if file.holds is Holds.GROUPS:
                for name, value in pairs(document):
                    yield from _group(file.path, name, value)
            else:
                rank = {"group all": 2}.get(file.scope, 3 if file.scope.startswith("group ") else 5)
                yield from _keys(file.path, document, file.scope, rank)


def documents(path: Path) -> tuple[yaml.Node, ...]:
    """Return what a file holds; nothing of one that cannot be read."""
    try:
        return _documents(path, path.stat().st_mtime_ns)
    except OSError:
        return ()


@lru_cache(maxsize=512)
def _documents(path: Path, _: int) -> tuple[yaml.Node, ...]:
    try:
        return tuple(compose(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return ()


def pairs(node: yaml.Node | None) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """Yield the keys and values of a mapping; nothing of anything else."""
    if isinstance(node, yaml.MappingNode):
        yield from ((key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode))


def _keys(path: Path, node: yaml.Node | None, scope: str, rank: int) -> Iterator[KeyPlace]:
    for key, value in pairs(node):
        yield KeyPlace(key.value, path, line_of(key), line_of(value), scope, rank)


def _group(path: Path, key: yaml.ScalarNode, node: yaml.Node, depth: int = 0) -> Iterator[KeyPlace]:
    yield KeyPlace(f"[{key.value}]", path, line_of(key), line_of(node), "", 0)
    for part, value in pairs(node):
        if part.value == "vars":
            yield from _keys(path, value, f"group {key.value}", 0 if key.value == "all" else 1)
        elif part.value == "hosts":
            for host, variables in pairs(value):
                yield from _keys(path, variables, f"host {host.value}", 4)
        elif part.value == "children" and depth < DEEPEST:
            for child, below in pairs(value):
                yield from _group(path, child, below, depth + 1)


def line_of(node: yaml.Node) -> int:
    """Return the line on which a node begins, counted from 1."""
    return int(node.start_mark.line) + 1
