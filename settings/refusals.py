"""What Ansible says about an inventory that it cannot read, as problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from settings.names import nearest
from settings.places import origin_of, short
from settings.problem import Problem
from settings.structure import ini_line
from settings.vaults import FIX as VAULT_FIX
from settings.yaml_files import YAML, is_script

Said = list[tuple[str, BaseException | None]]


def one_line(error: BaseException) -> str:
    """Return the first paragraph of an error on one line."""
    return " ".join(str(error).split("\n\n")[0].split())


@contextmanager
def quiet() -> Iterator[Said]:
    """Collect what Ansible would print: it becomes problems, or is of no use to the reader."""
    from ansible.utils.display import Display

    display: Any = Display()
    said: Said = []
    replaced: dict[str, Callable[..., None]] = {
        "warning": lambda msg, *_, **__: said.append((str(msg), None)),
        "deprecated": lambda *_, **__: None,
        "error_as_warning": lambda msg, exception, *_, **__: said.append((str(msg), exception)),
    }
    for name, function in replaced.items():
        setattr(display, name, function)
    try:
        yield said
    finally:
        for name in replaced:
            delattr(display, name)


def unparsed(source: Path, said: Said) -> Iterator[Problem]:
    """Yield a problem for each file that no inventory plugin could read."""
    failures: dict[str, BaseException] = {}
    for message, error in said:
        plugin = re.search(r"with '(?:ansible\.builtin\.)?(\w+)' plugin", message)
        if error is not None and plugin:
            failures[plugin[1]] = error
            continue
        unread = re.fullmatch(r"Unable to parse (.+) as an inventory source", message)
        if unread and Path(unread[1]).is_file():
            yield _unparsed_file(Path(unread[1]), failures)
        failures = {} if unread else failures
    if failures:  # ansible.cfg has any_unparsed_is_failed: Ansible stopped at this file
        path = next((Path(found[0]) for error in failures.values() if (found := _origin(error))), source)
        yield _unparsed_file(path, failures)


def _unparsed_file(path: Path, failures: Mapping[str, BaseException]) -> Problem:
    if is_script(path):
        message, fix = "this inventory script fails, or prints no inventory", f"run {short(path)} --list, and mend it"
        return Problem(rule="inventory-unread", where=short(path), message=message, fix=fix)
    found = _origin(failures.get("yaml")) if path.suffix in YAML else None
    line = found[1] if found and found[0] == str(path) else ini_line(path) if path.suffix not in YAML else 0
    # the plugins' own words may quote the line, and the line may hold a password
    message = "Ansible cannot read this file as an inventory"
    fix = "write hosts and groups, as inventories/local/hosts.yml does, or move the file out of the inventory's folder"
    return Problem(rule="inventory-unread", where=short(path, line), message=message, fix=fix)


def _origin(error: BaseException | None) -> tuple[str, int] | None:
    """Return path and line that an error of Ansible, or one of its causes, points at."""
    best: tuple[str, int] | None = None
    while error is not None:
        thing = getattr(error, "obj", None)
        path = getattr(thing, "path", None)
        found = (str(path), int(getattr(thing, "line_num", 0) or 0)) if path else origin_of(thing)
        best = found or best
        error = error.__cause__
    return best


def missing(source: Path) -> Problem:
    """Return the problem of an inventory that is not there."""
    known = sorted(path.name for path in source.parent.iterdir() if path.is_dir()) if source.parent.is_dir() else []
    near = nearest(source.name, known)
    return Problem(
        rule="inventory-missing",
        where=str(source),
        message="there is no such inventory",
        fix=f"write {near}"
        if near
        else (
            f"name one of: {', '.join(known)}"
            if known
            else "create it; inventories/production is the commented example"
        ),
    )


def no_hosts(source: Path) -> Problem:
    """Return the problem of an inventory without hosts."""
    return Problem(
        rule="inventory-hosts",
        where=short(source),
        message="the inventory names no host",
        fix="list hosts in hosts.yml, below the groups redis and celery",
    )


def undefined_host(source: Path, host: str, known: Iterable[str]) -> Problem:
    """Return the problem of a host or group that the inventory does not have."""
    near = nearest(host, known)
    return Problem(
        rule="inventory-hosts",
        where=short(source),
        value=host,
        variable="host",
        message="the inventory has no such host or group",
        fix=f"write {near}" if near else f"name one of: {', '.join(known)}",
    )


def ansible_problem(source: Path, error: Exception) -> Problem:
    """Return the problem that an error of Ansible tells."""
    found = _origin(error)
    where = short(*found) if found else short(source)
    text = one_line(error)
    if "vault" in text.lower():
        return Problem(rule="vault", where=where, message="a vault cannot be opened", fix=VAULT_FIX)
    fix = "mend the inventory; docs: https://docs.ansible.com/ansible/latest/inventory_guide/"
    return Problem(rule="inventory", where=where, message=text, fix=fix)
