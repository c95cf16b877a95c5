"""Where a value was written: `file:line`.

Ansible-core tags every text, number and container that it parses with its origin. That is private API: where it is
missing, problems are reported without a place. A yes or no cannot be tagged, and a list is tagged with the line of its
first entry: for these the inventory's files are asked where the key stands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from settings.yaml_files import KeyPlace, key_places

Place = str
"""`path:line`, relative to the working directory where it is below it; empty if unknown."""


def short(path: str | Path, line: int | None = None) -> Place:
    """Write a place as a person reads it."""
    relative = os.path.relpath(path)
    shown = str(path) if relative.startswith("..") else relative
    return f"{shown}:{line}" if line else shown


def origin_of(tagged: Any) -> tuple[str, int] | None:
    """Return path and line of a value that Ansible parsed; None if they are unknown."""
    try:
        from ansible._internal._datatag._tags import Origin
    except ImportError:  # a private API that moved: go on without places
        return None
    origin = Origin.get_tag(tagged)
    if origin is None:
        return None
    if origin.path:
        return str(origin.path), int(origin.line_num or 0)
    script = re.search(r"inventory script output from '(/.+?)'", str(origin.description))
    return (script[1], 0) if script else None


def place_of(*tagged: Any) -> Place:
    """Return the place of the first of these values that has one."""
    return next((short(*origin) for value in tagged if (origin := origin_of(value))), "")


def place_in(value: Any, path: tuple[str | int, ...]) -> Place:
    """Return the place of `value[path]`, or of the nearest thing around it that has one; empty for `value` itself."""
    best = ""
    for step in path:
        try:
            # pydantic has every key as text, YAML may have read a number
            key = next(key for key in value if str(key) == str(step)) if isinstance(value, Mapping) else None
            value = value[step if key is None else key]
        except (KeyError, IndexError, TypeError, StopIteration):
            break
        best = place_of(key, value) or best
    return best


@dataclass(frozen=True)
class Places:
    """The keys of an inventory's files; read when the first place is asked for."""

    sources: tuple[Path, ...] = ()
    _memory: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def _keys(self) -> dict[str, list[KeyPlace]]:
        found: dict[str, list[KeyPlace]] = {}
        for source in self.sources:
            for place in key_places(source):
                found.setdefault(place.name, []).append(place)
        return found

    def of_key(self, name: str, value: Any, known: Place, host: str, groups: Iterable[str]) -> Place:
        """Return where a variable of a host is written.

        Args:
            name: the variable.
            value: its value, perhaps tagged by Ansible.
            known: the place that the tags of value and key say.
            host: the host's name.
            groups: the groups that the host is in.
        """
        candidates = self._keys.get(name, [])
        origin = origin_of(value)
        if origin is not None:
            path = self._real(origin[0])
            same = [
                place for place in candidates if place.value_line == origin[1] and self._real(str(place.path)) == path
            ]
            return short(origin[0], same[-1].line) if same else short(*origin)
        scopes = {f"host {host}", *(f"group {group}" for group in groups), "group all"}
        ranked = sorted((place for place in candidates if place.scope in scopes), key=lambda place: place.rank)
        return short(ranked[-1].path, ranked[-1].line) if ranked else known

    def of_group(self, name: str) -> Place:
        """Return where a group is defined."""
        found = self._keys.get(f"[{name}]", [])
        return short(found[0].path, found[0].line) if found else ""

    def _real(self, path: str) -> str:
        if path not in self._memory:
            self._memory[path] = os.path.realpath(path)
        return self._memory[path]
