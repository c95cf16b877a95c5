"""What a play found on the hosts before: which files are as rendered, which services run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError


class EvidenceError(Exception):
    """The file cannot be used; the message says why and what to do."""


class File(BaseModel):
    """A rendered file on a host."""

    path: str
    state: Literal["same", "differs", "missing"]


class Service(BaseModel):
    """A service on a host, as its manager tells it."""

    name: str
    state: str  # "running" or the manager's word for anything else
    detail: str = ""


class Backup(BaseModel):
    """What came of the last backup of an instance."""

    instance: str
    name: str = ""
    age: int | None = None  # seconds; none where there never was one
    copied: str = ""
    error: str = ""


class HostEvidence(BaseModel):
    """What was found on one host."""

    files: list[File] = []
    services: list[Service] = []
    backups: list[Backup] = []


class Evidence(BaseModel):
    """What was found on all hosts."""

    complete: bool = True  # whether the play came to its end on every host
    hosts: dict[str, HostEvidence] = {}
    missing: str = ""  # why there is none


def read_evidence(path: Path) -> Evidence:
    """Read the file that the play wrote; without it all other promises can still be asked for.

    Raises:
        EvidenceError: if it cannot be read, is no JSON or of another form.
    """
    if not path.exists():
        return Evidence(missing=f"not checked: there is no {path}, so the hosts could not be examined")
    try:
        return Evidence.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise EvidenceError(
            f"The evidence {path} cannot be read ({error}): run make verify, which collects it."
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise EvidenceError(
            f"The evidence {path} is not as expected: {where}: {first['msg']}. Run make verify, which collects it."
        ) from error
