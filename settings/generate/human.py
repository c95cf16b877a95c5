"""Types and values as a person writes them: 256mb, yes or no, a list of queues' names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from settings.masking import models_in
from settings.types import Kind, human_bytes

SIZE = "size"


def parts_of(annotation: Any, metadata: Sequence[Any] = ()) -> tuple[Any, tuple[Any, ...]]:
    """Return a type without Annotated and None, and all that is attached to it, the field's own constraints first."""
    metadata = tuple(metadata)
    if get_origin(annotation) is Annotated:
        inner, *attached = get_args(annotation)
        return parts_of(inner, (*metadata, *attached))
    present = [part for part in get_args(annotation) if part is not type(None)]
    if type(None) in get_args(annotation) and len(present) == 1:
        return parts_of(present[0], metadata)
    return annotation, metadata


def kind_of(annotation: Any, metadata: Sequence[Any] = ()) -> Kind | None:
    """Return the Kind that a type carries."""
    return next((part for part in parts_of(annotation, metadata)[1] if isinstance(part, Kind)), None)


def item_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a list setting's entries."""
    return next(models_in(field.annotation), None)


def optional(annotation: Any) -> bool:
    """Whether a setting may be without a value."""
    return type(None) in get_args(annotation)


def type_name(annotation: Any, metadata: Sequence[Any] = (), *, link: str = "") -> str:
    """Return what a person calls a type.

    Args:
        annotation: the type.
        metadata: what pydantic took off it.
        link: the heading that describes the entries of a list.
    """
    plain, attached = parts_of(annotation, metadata)
    kind = kind_of(plain, attached)
    origin, arguments = get_origin(plain), get_args(plain)
    if origin is Literal:
        *most, last = [f"`{choice}`" for choice in arguments]
        return f"{', '.join(most)} or {last}" if most else last
    if origin is list:
        return f"list of {_plural(type_name(arguments[0], link=link))}"
    if origin is dict:
        return f"mapping of {_plural(type_name(arguments[0]))} to {_plural(type_name(arguments[1]))}"
    if kind:
        return kind.name + ("" if kind.name.endswith(" 0") else _range(kind, attached))
    if isinstance(plain, type) and issubclass(plain, BaseModel):
        return f"[entries](#{link})" if link else "entry"
    raise TypeError(f"a type without a Kind: {annotation}")


def _plural(name: str) -> str:
    if name.startswith(("[", "`", "anything", "seconds and")):
        return name
    head, separator, rest = name.partition(",")
    if re.search(r"'s name$", head):
        return f"{head}s{separator}{rest}"
    if head.endswith("y"):
        return f"{head[:-1]}ies{separator}{rest}"
    return (f"{head}es" if head.endswith("s") else f"{head}s") + separator + rest


def _range(kind: Kind, attached: Sequence[Any]) -> str:
    least: Any = None
    most: Any = None
    more = ""
    for part in attached:
        if isinstance(part, Ge):
            least = part.ge
        elif isinstance(part, Gt):
            least, more = part.gt, "more than "
        elif isinstance(part, Le):
            most = part.le
        elif isinstance(part, Lt):
            most = part.lt
    if kind.name == SIZE:
        return f", at least {human_bytes(least)}" if least else ""
    if least is not None and most is not None:
        return f", {more}{least} to {most}"
    if least is not None and (least or more):
        return f", {more or 'at least '}{least}"
    return ""


def human(value: Any, annotation: Any, metadata: Sequence[Any] = ()) -> Any:
    """Return a value as a person would write it in YAML."""
    plain, attached = parts_of(annotation, metadata)
    kind = kind_of(plain, attached)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        said = [name for name in fields if name in value.model_fields_set]
        return {name: human(getattr(value, name), fields[name].annotation, fields[name].metadata) for name in said}
    if isinstance(value, list):
        inner = get_args(plain)[0] if get_args(plain) else Any
        return [human(entry, inner) for entry in value]
    if kind and kind.name == SIZE and isinstance(value, int):
        return human_bytes(value) if value else 0
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def default_of(field: FieldInfo) -> Any:
    """Return the default of a field as a person would write it; PydanticUndefined where it must be given."""
    value = field.get_default(call_default_factory=True)
    return value if value is PydanticUndefined else human(value, field.annotation, field.metadata)


def flow(value: Any) -> str:
    """Write a value as YAML on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(entry) for entry in value) + "]"
    if isinstance(value, str):
        plain = (
            re.fullmatch(r"[A-Za-z0-9_./][A-Za-z0-9_./:+ -]*", value) and ": " not in value and value[-1] not in ": "
        )
        return value if plain and yaml.safe_load(value) == value else json.dumps(value, ensure_ascii=False)
    return str(value)


def items_of(name: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield a list setting's own heading and model for each field of a model that holds entries, and those in them."""
    for field_name, field in model.model_fields.items():
        item = item_of(field)
        if item is not None:
            yield name + field_name, item
            yield from items_of(f"{name}{field_name}-", item)


def linked(text: str) -> str:
    """Write the addresses in a text as links that are called by their last part."""

    def link(match: re.Match[str]) -> str:
        address = match[0]
        return f"[{address.rstrip('/').rsplit('/', 1)[-1].removesuffix('.html')}]({address})"

    return re.sub(r"https?://\S+", link, text)
