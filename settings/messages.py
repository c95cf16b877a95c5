"""pydantic's errors in the words of this project: what is due, and what to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from settings.describe import Section, described
from settings.masking import MASK, models_in, shown
from settings.model import Redis
from settings.model.redis import RedisOptions
from settings.names import nearest
from settings.problem import Problem
from settings.raw import RawHost
from settings.types import human_bytes
from settings.vaults import came_from_vault

MISSING = object()
# What pydantic calls an error: what is due, and what to do.
_WORDS = {
    "list_type": ("a list is due here", "write one entry per line, after a dash"),
    "dict_type": ("`name: value` lines are due here", "write `name: value`, one per line"),
    "model_type": ("an entry is `name: value` pairs", "write {name: ...}, or `name: value` lines below the dash"),
    "model_attributes_type": (
        "an entry is `name: value` pairs",
        "write {name: ...}, or `name: value` lines below the dash",
    ),
    "string_type": ("text is due here", "write text, in quotes where YAML would read something else"),
    "string_unicode": ("it holds half a character, which UTF-8 cannot carry", "save the file as UTF-8"),
    "bool_type": ("a yes or no is due here", "write true or false"),
    "int_type": ("a whole number is due here", "write digits"),
    "float_type": ("a number is due here", "write digits"),
}
_BOUNDS = {
    "greater_than_equal": ("ge", "at least {}", "write {} or more"),
    "greater_than": ("gt", "more than {}", "write more than {}"),
    "less_than_equal": ("le", "at most {}", "write {} or less"),
    "less_than": ("lt", "less than {}", "write less than {}"),
}


def section_problems(section: type[Section], error: ValidationError, host: RawHost) -> list[Problem]:
    """Turn the errors of a section into problems, each at the line where its value stands."""
    problems = []
    for item in error.errors(include_url=False):
        loc = tuple(step for step in item["loc"] if step != "[key]")
        if not loc:
            continue
        name, path = section.variable(str(loc[0])), loc[1:]
        variable = host.variables.get(name)
        value = variable.value if variable else None
        if section is Redis and loc[0] == "instances" and _is_option(path) and _at(value, path) is MISSING:
            continue  # inherited, and told where it was written: at redis_<option>
        rule, message, fix = _words(item, section)
        suffix = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
        problems.append(
            Problem(
                rule=rule,
                variable=name + suffix,
                value=""
                if item["type"] == "missing"
                else MASK
                if came_from_vault(_at(value, path))
                else shown(name, path, item["input"]),
                where=host.place(name, *path),
                message=message,
                fix=fix,
                hosts=(host.name,),
            )
        )
    return problems


def _is_option(path: tuple[str | int, ...]) -> bool:
    """Whether a path below `redis_instances` leads to an option that an instance inherits."""
    return any(step in RedisOptions.model_fields for step in path[1:2])


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return `value[path]`, still tagged by Ansible; MISSING where there is nothing."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return value


def _words(error: Mapping[str, Any], section: type[Section]) -> tuple[str, str, str]:
    """Return rule, message and fix of a pydantic error."""
    kind, context, loc = str(error["type"]), error.get("ctx", {}), tuple(error["loc"])
    if "fix" in context:
        return kind, context["message"], context["fix"]
    if kind in _WORDS:
        return "type", *_WORDS[kind]
    if kind in _BOUNDS:
        key, due, fix = _BOUNDS[kind]
        bound = _bound(context[key], section, loc)
        return "range", f"it must be {due.format(bound)}", fix.format(bound)
    if kind == "extra_forbidden":
        known = _known_keys(section, loc)
        near = nearest(str(loc[-1]), known)
        return "unknown", "there is no such key here", f"write {near}" if near else f"use one of: {', '.join(known)}"
    if kind == "literal_error":
        choices = [word.strip("' ") for word in context["expected"].replace(" or ", ",").split(",")]
        near = nearest(str(error["input"])[:200], choices)
        return (
            "choice",
            f"it must be {context['expected']}",
            f'write "{near}"' if near else f"write {context['expected']}",
        )
    if kind == "missing":
        return "missing", f"the key {loc[-1]} is missing", f"add {loc[-1]}:"
    if kind in ("too_short", "too_long", "string_too_short"):
        limit = context.get("min_length", context.get("max_length"))
        bound, fix = ("least", "add") if kind.endswith("short") else ("most", "take away")
        what = "characters" if kind.startswith("string") else "entries"
        return "length", f"the {bound} number of {what} here is {limit}", f"{fix} some {what}"
    return kind.replace("_", "-"), "it cannot be read", "see docs/settings.md"


def _bound(value: float, section: type[Section], loc: tuple[str | int, ...]) -> str:
    model: type[BaseModel] | None = _model_at(section, loc)
    field = model.model_fields.get(str(loc[-1])) if model else None
    size = field is not None and described(field).unit == "bytes"
    return human_bytes(int(value)) if size else f"{value:g}" if isinstance(value, float) else str(value)


def _known_keys(section: type[Section], loc: tuple[str | int, ...]) -> list[str]:
    model = _model_at(section, loc)
    return list(model.model_fields) if model else []


def _model_at(section: type[Section], loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    """Return the model that the key at the end of `loc` belongs to."""
    model: type[BaseModel] = section
    for step in loc[:-1]:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step)
        inner = next(models_in(field.annotation), None) if field else None
        if inner is None:
            return None
        model = inner
    return model
