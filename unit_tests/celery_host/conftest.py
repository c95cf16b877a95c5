"""Modules that are deployed beside celeryconfig.py, imported as it does."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu.transport import TRANSPORT_ALIASES

FOLDER = Path(__file__).parents[2] / "templates/etc/celery"


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports such a module by its name; afterwards kombu's names are its own again."""
    names = dict(TRANSPORT_ALIASES)
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module
    TRANSPORT_ALIASES.clear()
    TRANSPORT_ALIASES.update(names)
    for file in FOLDER.glob("*.py"):
        sys.modules.pop(file.stem, None)
