"""Which tasks an application registers, read from its source without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from settings.model import Celery

DECORATORS = ("task", "shared_task", "periodic_task")
# What Celery registers by itself (celery/app/builtins.py).
BUILT_IN = tuple(
    f"celery.{name}"
    for name in ("accumulate", "backend_cleanup", "chain", "chord", "chord_unlock", "chunks", "group", "map", "starmap")
)


class UnreadableError(Exception):
    """The source gives tasks names that only running it would tell."""


@dataclass(frozen=True)
class Factory:
    """A decorator of the application's own that names tasks: `probe("add")` → `probe.add`."""

    parameter: str
    position: int
    before: str
    after: str


def _called(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def _name_given(call: ast.expr) -> ast.expr | None:
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return next((keyword.value for keyword in keywords if keyword.arg == "name"), None)


def _factory(function: ast.FunctionDef) -> Factory | None:
    """Read a function such as `def probe(name): return shared_task(name=f"probe.{name}")`."""
    parameters = [argument.arg for argument in function.args.args]
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or _called(node) not in DECORATORS:
            continue
        given = _name_given(node)
        if isinstance(given, ast.Name) and given.id in parameters:
            return Factory(given.id, parameters.index(given.id), "", "")
        if not isinstance(given, ast.JoinedStr):
            continue
        names = [part.value for part in given.values if isinstance(part, ast.FormattedValue)]
        if len(names) == 1 and isinstance(names[0], ast.Name) and names[0].id in parameters:
            texts = [str(part.value) if isinstance(part, ast.Constant) else "\0" for part in given.values]
            before, _, after = "".join(texts).partition("\0")
            return Factory(names[0].id, parameters.index(names[0].id), before, after)
    return None


def _by_factory(call: ast.expr, factory: Factory) -> str:
    if isinstance(call, ast.Call):
        given = [keyword.value for keyword in call.keywords if keyword.arg == factory.parameter]
        given += call.args[factory.position : factory.position + 1]
        if given and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str):
            return f"{factory.before}{given[0].value}{factory.after}"
    raise UnreadableError


def _task_name(
    function: ast.FunctionDef | ast.AsyncFunctionDef, module: str, factories: dict[str, Factory]
) -> str | None:
    for decorator in function.decorator_list:
        called = _called(decorator)
        if called in factories:
            return _by_factory(decorator, factories[called])
        if called not in DECORATORS:
            continue
        given = _name_given(decorator)
        if given is None:
            return f"{module}.{function.name}"
        if isinstance(given, ast.Constant):
            return str(given.value)
        raise UnreadableError
    return None


def _modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(root.rglob("*.py")):
        module = ".".join((root.name, *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        try:
            yield module, ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, OSError, RecursionError, ValueError):
            raise UnreadableError from None


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
    try:
        modules = list(_modules(root))
        functions = [
            (module, node)
            for module, tree in modules
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        factories = {
            function.name: found
            for _, function in functions
            if isinstance(function, ast.FunctionDef) and (found := _factory(function))
        }
        names = {_task_name(function, module, factories) for module, function in functions} - {None}
    except UnreadableError:
        return None
    registers = any(
        isinstance(node, ast.Call) and _called(node) == "register_task"
        for _, tree in modules
        for node in ast.walk(tree)
    )
    return None if registers or not names else tuple(sorted(name for name in names if name))


def application_tasks(celery: Celery) -> tuple[str, ...] | None:
    """Return the names of all tasks that an application's workers know; None where they cannot be read from here."""
    found = set(BUILT_IN)
    packages = {module.split(":")[0].split(".")[0] for module in (celery.app, *celery.imports)}
    for package in sorted(packages):
        source = Path(celery.source)
        # its own package, one of a directory of packages, or one of this repository (tasks.probe)
        candidates = [source] if source.name == package else [source / package, Path(package)]
        folder = next((path for path in candidates if path.is_dir()), None)
        names = registered_tasks(celery.source_kind, str(folder)) if folder else None
        if names is None:
            return None
        found.update(names)
    return tuple(sorted(found))
