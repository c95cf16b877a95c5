"""How one setting is described: type and default in the annotation, the rest in `setting(...)`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


class Apply(StrEnum):
    """How a changed value reaches the running system."""

    LIVE = "live"  # told to the running service (CONFIG SET, ACL SETUSER): nothing restarts
    RESTART = "restart"  # needs a restart of the service, drained
    DEPLOY = "deploy"  # read at the next deploy only: paths, packages, permissions


@dataclass(frozen=True)
class Description:
    """What a setting's documentation says besides its type and default."""

    unit: str
    apply: Apply
    source: str
    secret: bool


def setting(
    default: Any,
    doc: str,
    *,
    unit: str = "",
    apply: Apply = Apply.RESTART,
    source: str = "",
    secret: bool = False,
    **constraints: Any,
) -> Any:
    """Describe one setting.

    Args:
        default: its default, or `...` where it must be given.
        doc: one sentence.
        unit: "bytes", "seconds", ... or empty.
        apply: live, restart or deploy.
        source: where the behaviour or the default comes from (a page, an issue, shared measurement).
        secret: never printed, never in a diff.
        constraints: passed to pydantic (`ge`, `le`, `min_length`, ...).
    """
    description = Description(unit=unit, apply=apply, source=source, secret=secret)
    given: dict[str, Any] = {"default_factory" if callable(default) else "default": default}
    extra: dict[str, Any] = {"setting": description}
    return Field(**given, description=doc, json_schema_extra=extra, **constraints)


def described(field: FieldInfo) -> Description:
    """Return the description that `setting` attached to a pydantic field."""
    extra = field.json_schema_extra
    found: object = extra.get("setting") if isinstance(extra, dict) else None
    if not isinstance(found, Description):
        raise TypeError(f"a setting without a description: {field!r}")
    return found


class Item(BaseModel):
    """An entry of a list setting, for instance one of `celery_workers`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Section(BaseModel):
    """All settings that share a prefix; a field `maxmemory` of prefix `redis_` is `redis_maxmemory`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    prefix: ClassVar[str]

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the flat Ansible variable of a field."""
        return cls.prefix + field
