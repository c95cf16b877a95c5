"""Read an inventory with Ansible's own engine: groups, variables as each host sees them, and their places.

Only this module, `refusals.py`, `vaults.py` and `places.py` know its insides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from settings.masking import is_secret
from settings.names import is_ours
from settings.places import Place, Places, place_of
from settings.problem import InventoryRefused, Problem
from settings.raw import RawHost, Variable
from settings.refusals import Said, ansible_problem, missing, no_hosts, one_line, quiet, undefined_host, unparsed
from settings.structure import group_problems, stray_variables
from settings.vaults import came_from_vault, encrypted_files, is_inline, load_secrets, opened, secrets_in_use
from settings.yaml_check import syntax_problems, text_problems

__all__ = ["Place", "RawHost", "Variable", "place_of", "read_hosts", "read_inventory"]

# Errors of a template that name things and quote no value: safe to repeat where the value is a secret.
SAFE_ERROR = re.compile(
    r"'[\w.]+' is undefined|object of type '\w+' has no attribute '\w+'"
    r"|Syntax error in template: No (filter|test) named '[\w.]+'\.?"
)
# Of a play's variables, those that hold copies of others or facts: no vault's text is looked for in them.
NOT_VAULTED = ("ansible_facts", "groups", "hostvars", "preflight_fleet", "stack", "vars")


def _variable(name: str, raw: Any, templated: Mapping[str, Any]) -> Variable:
    place = place_of(raw, name)
    try:
        value = templated[name]
        _walk(value)
    # Every failure of a template or a vault is the inventory's, whatever its class: it becomes a problem.
    except Exception as error:
        return Variable(name=str(name), value=None, place=place, error=_said(str(name), raw, error))
    return Variable(name=str(name), value=value, place=place, literal_parts=tuple(_literals(raw)))


def _said(name: str, raw: Any, error: Exception) -> str:
    if is_inline(raw) or "vault" in one_line(error).lower():
        return "it is encrypted, and no given vault password opens it"
    said = one_line(error)
    if said.startswith("Recursive loop"):
        return "its template leads back to itself"
    if is_secret(name) and not SAFE_ERROR.fullmatch(said):
        return "its template fails, with a message that may quote the secret"
    return said


def _literals(raw: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of texts that stand in clear in the file."""
    if isinstance(raw, Mapping):
        for key in raw:
            yield from _literals(raw[key], (*path, str(key)))
    elif isinstance(raw, list):
        for index, entry in enumerate(raw):
            yield from _literals(entry, (*path, index))
    elif isinstance(raw, str) and not came_from_vault(raw):
        clear = re.sub(r"\{\{.*?\}\}", "", str(raw), flags=re.DOTALL)
        # of a URL only the password is a secret; it may stand in clear between templates
        if re.search(r"://[^/@:]*:[^@]+@", clear) if "://" in raw else clear and clear == raw:
            yield path


def _vaulted(raw: Any) -> Iterator[str]:
    """Yield the texts that came out of a vault."""
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            if key not in NOT_VAULTED:
                yield from _vaulted(value)
    elif isinstance(raw, list | tuple):
        for value in raw:
            yield from _vaulted(value)
    elif came_from_vault(raw):
        try:
            yield str(raw)
        except Exception:  # what does not open is reported where it is used
            return


def _walk(value: Any) -> None:
    """Touch every nested value: Ansible's containers template lazily."""
    if isinstance(value, Mapping):
        for key in value:
            _walk(value[key])
    elif isinstance(value, list | tuple):
        for entry in value:
            _walk(entry)


def read_hosts(hostvars: Any, groups: Mapping[str, list[str]], prefixes: tuple[str, ...]) -> dict[str, RawHost]:
    """Read the variables that carry one of our prefixes, or nearly do, from Ansible's HostVars.

    Args:
        hostvars: `ansible.vars.hostvars.HostVars`, of a running play or of `read_inventory`.
        groups: group name → host names.
        prefixes: what the names of our settings begin with.
    """
    sources = getattr(getattr(hostvars, "_inventory", None), "_sources", None) or ()
    places = Places(tuple(Path(str(source)) for source in sources if "," not in str(source)))
    hosts: dict[str, RawHost] = {}
    names = sorted({host for members in groups.values() for host in members})
    for host in names:
        raw = hostvars.raw_get(host)
        templated = hostvars[host]
        ours = [name for name in raw if str(name).startswith(prefixes) or is_ours(str(name))]
        hosts[host] = RawHost(
            name=host,
            groups=tuple(sorted(group for group, members in groups.items() if host in members)),
            variables={str(name): _variable(name, raw[name], templated) for name in ours},
            places=places,
            vaulted=frozenset(_vaulted(raw)),
            directory=str(raw.get("inventory_dir") or ""),
        )
    return hosts


def read_inventory(
    source: Path, prefixes: tuple[str, ...], *, vault_password_file: str | None = None, limit: str | None = None
) -> tuple[dict[str, RawHost], list[Problem]]:
    """Read an inventory from a file or folder.

    Returns:
        The hosts, and the problems that did not keep it from being read.

    Raises:
        InventoryRefused: on a missing inventory, broken YAML, an undefined host or a vault that does not open.
    """
    if not source.exists():
        raise InventoryRefused([missing(source)])
    fatal, others = syntax_problems(source)
    if not fatal:
        others.extend(group_problems(source))
    encrypted = encrypted_files(source)
    if fatal and not encrypted:  # importing Ansible takes 0.7 s: broken YAML is told before that
        raise InventoryRefused([*fatal, *others])
    from ansible.parsing.dataloader import DataLoader

    loader = DataLoader()
    with quiet() as said:
        secrets, found = load_secrets(loader, vault_password_file)
        fatal.extend(found)
        texts, closed = opened(encrypted, secrets)
        fatal.extend(closed)
        for file in encrypted:
            if file.path in texts:
                fatal.extend(text_problems(file, texts[file.path]))
        if fatal:
            raise InventoryRefused([*fatal, *others])
        try:
            with secrets_in_use(secrets):
                hosts, unread = _read(source, loader, prefixes, limit, said)
        except InventoryRefused as refused:
            raise InventoryRefused(_together(others, refused.problems)) from None
    return hosts, _together(others, unread)


def _together(ours: Iterable[Problem], unread: Iterable[Problem]) -> list[Problem]:
    """Join problems; that Ansible cannot read a file is no news where we said why."""
    told = {problem.where.rsplit(":", 1)[0] for problem in ours}
    return [
        *ours,
        *(one for one in unread if one.rule != "inventory-unread" or one.where.rsplit(":", 1)[0] not in told),
    ]


def _read(
    source: Path, loader: Any, prefixes: tuple[str, ...], limit: str | None, said: Said
) -> tuple[dict[str, RawHost], list[Problem]]:
    from ansible.errors import AnsibleError
    from ansible.inventory.manager import InventoryManager
    from ansible.vars.hostvars import HostVars
    from ansible.vars.manager import VariableManager

    try:
        inventory = InventoryManager(loader=loader, sources=[str(source)])
        problems = list(unparsed(source, said))
        if not inventory.hosts:
            raise InventoryRefused(problems or [no_hosts(source)])
        groups = {name: list(members) for name, members in inventory.get_groups_dict().items() if name != "ungrouped"}
        if limit and limit not in inventory.hosts and limit not in groups:
            problems.append(undefined_host(source, limit, [*sorted(inventory.hosts), *sorted(groups)]))
        problems.extend(stray_variables(source, inventory.hosts, groups))
        variables = VariableManager(loader=loader, inventory=inventory)
        return read_hosts(HostVars(inventory, variables, loader), groups, prefixes), problems
    except AnsibleError as error:
        empty = source.is_dir() and "Completely failed to parse" in one_line(error)
        problem = no_hosts(source) if empty else ansible_problem(source, error)
        raise InventoryRefused(list(unparsed(source, said)) or [problem]) from None
