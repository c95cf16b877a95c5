"""Which tasks an application registers, read from its source without running it."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

DECORATORS = ("task", "shared_task", "periodic_task")


def _decorator_name(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def _task_name(function: ast.FunctionDef | ast.AsyncFunctionDef, module: str) -> str | None:
    for decorator in function.decorator_list:
        if _decorator_name(decorator) not in DECORATORS:
            continue
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else []:
            if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                return str(keyword.value.value)
        return f"{module}.{function.name}"
    return None


@lru_cache(maxsize=32)
def registered_tasks(kind: str, source: str) -> tuple[str, ...] | None:
    """Return the names of the tasks below a directory.

    Args:
        kind: `directory`, `wheel` or `git`.
        source: the directory of a Python package.

    Returns:
        The names, sorted; None where the source cannot be read from here (a wheel, a git address) or where
        no task is found by reading, as in an application that names its tasks at run time.
    """
    root = Path(source)
    if kind != "directory" or not root.is_dir():
        return None
    names: set[str] = set()
    for path in sorted(root.rglob("*.py")):
        module = ".".join((root.name, *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            return None
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (name := _task_name(node, module)):
                names.add(name)
    return tuple(sorted(names)) or None
