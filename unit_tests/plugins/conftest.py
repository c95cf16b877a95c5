"""Load plugins as Ansible does: by path, not as packages."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


@pytest.fixture(scope="session")
def plugin() -> Callable[[str], ModuleType]:
    """Return a loader: `plugin("modules/write_files")`."""
    # What modules share is imported under this name; Ansible packs it beside them.
    for shared in sorted((PLUGINS / "module_utils").glob("*.py")):
        name = f"ansible.module_utils.{shared.stem}"
        spec = importlib.util.spec_from_file_location(name, shared)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name.replace("/", "_"), PLUGINS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
