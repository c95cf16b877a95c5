"""Which release of the application an inventory describes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from settings.model import Celery


def release_id(celery: Celery) -> str:
    """Return 12 hex digits that change with the source, the requirements or the interpreter.

    A directory or wheel counts by its content; a git source by its version.
    """
    digest = hashlib.sha256()
    for word in (celery.source_kind, celery.source, celery.source_version, celery.python, celery.transport):
        digest.update(f"{word}\0".encode())
    for path in _files(Path(celery.requirements_file)) + (
        [] if celery.source_kind == "git" else _files(Path(celery.source))
    ):
        digest.update(f"{path}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _files(source: Path) -> list[Path]:
    if source.is_dir():
        return sorted(path for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return [source] if source.is_file() else []
