"""What may never be printed, and how a value is shown that may be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from settings.describe import described
from settings.names import KNOWN
from settings.problem import Problem
from settings.raw import RawHost
from settings.vaults import came_from_vault

MASK = "********"
LONGEST_SHOWN = 80
# A secret that is shorter is masked only where it stands alone: "a" would blank every message.
SHORTEST_ANYWHERE = 5
SOUNDS_SECRET = re.compile(r"passw|passphrase|secret|token|credential|private|api_?key|auth_?key", re.IGNORECASE)
# Settings whose keys and values are anybody's.
FREE_FORM = ("celery_environment", "celery_extra_config", "celery_beat_schedule")

Path = tuple[str | int, ...]


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation such as `list[AclUser] | None` holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def _holds_secrets(field: FieldInfo) -> bool:
    if described(field).secret:
        return True
    return any(_holds_secrets(inner) for model in models_in(field.annotation) for inner in model.model_fields.values())


def is_secret(variable: str) -> bool:
    """Whether a variable may never be printed, whatever it holds."""
    if variable not in KNOWN:
        return bool(SOUNDS_SECRET.search(variable))
    section, field = KNOWN[variable]
    return described(section.model_fields[field]).secret


def may_hold_secrets(variable: str) -> bool:
    """Whether a part of a variable may never be printed."""
    if variable not in KNOWN or variable in FREE_FORM:
        return True
    section, field = KNOWN[variable]
    return _holds_secrets(section.model_fields[field])


def is_secret_part(variable: str, path: Path) -> bool:
    """Whether `variable[path]` may never be printed: a secret, or something of which a part may be one."""
    if is_secret(variable) or any(SOUNDS_SECRET.search(str(step)) for step in path):
        return True
    if variable not in KNOWN:
        return False
    section, name = KNOWN[variable]
    field = section.model_fields[name]
    for step in path:
        if isinstance(step, int):
            continue
        inner = next((model for model in models_in(field.annotation) if step in model.model_fields), None)
        if inner is None:  # an unknown key: perhaps a misspelt password
            return _holds_secrets(field)
        field = inner.model_fields[step]
    return _holds_secrets(field)


def shown(variable: str, path: Path, value: Any) -> str:
    """Write a value for a message: masked, shortened, on one line."""
    if is_secret_part(variable, path) or came_from_vault(value) or isinstance(value, SecretStr):
        return MASK
    if isinstance(value, Mapping):
        return f"a mapping of {len(value)}"
    if isinstance(value, list | tuple | set | frozenset):
        return f"a list of {len(value)}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    try:
        text = f'"{value}"' if isinstance(value, str) else str(value)
    except ValueError:  # Python writes no number of more than 4300 digits
        text = "a number of thousands of digits"
    text = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text inside a value, keys aside."""
    if isinstance(value, Mapping):
        for entry in value.values():
            yield from texts_in(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from texts_in(entry)
    elif isinstance(value, str):
        yield str(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield repr(value) if abs(value) < 10**20 else ""  # a password written as a number


def secrets_of(host: RawHost) -> set[str]:
    """Return every text of a host that may never be printed."""
    found = {text for text in host.vaulted if len(text) >= SHORTEST_ANYWHERE}
    for name, variable in host.variables.items():
        found.update(_secret_texts(name, (), variable.value))
    return found


def _secret_texts(name: str, path: Path, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _secret_texts(name, (*path, str(key)), entry)
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            yield from _secret_texts(name, (*path, index), entry)
    elif is_secret_part(name, path):
        for text in texts_in(value):
            yield text
            # of a URL, the part between the first colon and the at sign is the secret
            yield from re.findall(r"://[^/@]*?:([^@]+)@", text)


def veil(problems: Iterable[Problem], secrets: set[str]) -> list[Problem]:
    """Mask every secret in the words of problems: a template's error, for one, may quote what it was given."""
    anywhere = sorted((re.escape(text) for text in secrets if len(text) >= SHORTEST_ANYWHERE), key=len, reverse=True)
    alone = sorted((re.escape(text) for text in secrets if 0 < len(text) < SHORTEST_ANYWHERE), key=len, reverse=True)
    parts = [*anywhere, *(rf"(?<!\w){text}(?!\w)" for text in alone)]
    if not parts:
        return list(problems)
    pattern = re.compile("|".join(parts))
    return [
        replace(problem, value=pattern.sub(MASK, problem.value), message=pattern.sub(MASK, problem.message))
        for problem in problems
    ]
