"""What an inventory says about a host, before it is understood."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from settings.places import Place, Places, place_in


@dataclass(frozen=True)
class Variable:
    """One variable of a host, templated by Ansible."""

    name: str
    value: Any = field(repr=False)
    place: Place
    literal_parts: tuple[tuple[str | int, ...], ...] = ()  # texts written in clear: neither template nor vault
    error: str = ""  # why it could not be read, for instance an undefined name in it


@dataclass(frozen=True)
class RawHost:
    """A host as the inventory has it."""

    name: str
    groups: tuple[str, ...]
    variables: dict[str, Variable] = field(repr=False)
    places: Places = field(default_factory=Places, repr=False, compare=False)
    vaulted: frozenset[str] = field(default=frozenset(), repr=False)  # texts that came out of a vault: never printed
    directory: str = ""  # where its inventory stands

    def place(self, variable: str, *path: str | int) -> Place:
        """Return file:line of a setting or of a part of it; empty where the default holds."""
        known = self.variables.get(variable)
        if known is None:
            return ""
        around = self.places.of_key(variable, known.value, known.place, self.name, self.groups)
        return place_in(known.value, path) or around
