"""An inventory with a test's settings on top, rendered by `stage.yml` as `make stage` does it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bench.run import CHECKOUT, Run
from settings.fleet import Fleet
from settings.loader import load
from settings.problem import InventoryRefused
from settings.secrets import passwords_yaml, write_private

INVENTORY = CHECKOUT / "inventories" / "integration"


class NotStaged(Exception):  # noqa: N818 - it says what was not done
    """The settings were refused or could not be rendered; the message is the renderer's."""


@dataclass(frozen=True)
class Mutation:
    """A promise broken on purpose: the rendered bytes are changed, as a wrong role or a careless hand would."""

    name: str
    file: str  # pattern below the staged folder: */etc/redis/broker.conf
    old: str  # regular expression, of which there must be a match
    new: str

    def apply(self, folder: Path) -> None:
        """Change the files.

        Raises:
            NotStaged: where nothing matches: the mutation has outlived what it was written for.
        """
        changed = 0
        for path in folder.glob(self.file):
            text, count = re.subn(self.old, self.new, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            path.write_text(text, encoding="utf-8")
            changed += count
        if not changed:
            raise NotStaged(f"mutation {self.name!r}: nothing in {self.file} matches {self.old!r}")


@dataclass(frozen=True)
class Variant:
    """What a test wants otherwise than inventories/integration says."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    hosts: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # name → groups and vars, besides those there are
    mutation: Mutation | None = None
    idle: bool = False  # no worker runs: what is sent stays in its queue
    disk: bool = False  # the data of Redis is on a disk that can lose its power or be full

    @property
    def key(self) -> str:
        """Eight digits, equal for equal variants."""
        mutation = repr(self.mutation) if self.mutation else ""
        text = json.dumps([self.settings, self.hosts, mutation, self.idle, self.disk], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Staged:
    """Rendered files of every host, and the settings they were made from."""

    folder: Path
    inventory: Path
    fleet: Fleet
    addresses: Mapping[str, str]

    def host(self, name: str) -> Path:
        """Return the folder of a host's files."""
        return self.folder / name


def stage(run: Run, variant: Variant, images: Mapping[str, str]) -> Staged:
    """Render a variant with addresses of the run's network.

    Args:
        run: owns the network and the folder.
        variant: what differs from inventories/integration.
        images: settings that name images and what is in them.

    Raises:
        NotStaged: if the settings are refused.
    """
    root = run.folder / variant.key
    shutil.rmtree(root, ignore_errors=True)  # a stack that was given up: its data must not come back
    inventory = root / "inventories" / "integration"
    shutil.copytree(INVENTORY, inventory, ignore=shutil.ignore_patterns("machine.yml"))
    known = yaml.safe_load((INVENTORY / "hosts.yml").read_text(encoding="utf-8"))["all"]["hosts"]
    addresses = {name: run.address() for name in [*known, *(name for name in variant.hosts if name not in known)]}
    write_private(inventory / "zz_variant.yml", yaml.safe_dump(_hosts(variant, addresses)))
    values = {**yaml.safe_load(passwords_yaml()), **images, **variant.settings}
    write_private(inventory / "group_vars" / "all" / "zz_variant.yml", yaml.safe_dump(values))
    if values.get("tls_source") == "generated":
        _do(inventory, sys.executable, "-m", "settings", "certificates", str(inventory))
    build = root / "build"
    play = ("ansible-playbook", "--inventory", str(inventory), "stage.yml", "--extra-vars", f"stack_stage_root={build}")
    _do(inventory, *play)
    if variant.mutation:
        variant.mutation.apply(build)
    return Staged(build, inventory, load(inventory).fleet, addresses)


def _do(inventory: Path, *words: str) -> None:
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if not done.returncode:
        return
    try:
        load(inventory)
    except InventoryRefused as error:  # Ansible says the same thrice
        raise NotStaged(str(error)) from None
    raise NotStaged(f"{inventory}:\n{done.stdout}{done.stderr}")


def _hosts(variant: Variant, addresses: Mapping[str, str]) -> dict[str, Any]:
    """Return an inventory file with the addresses, and the hosts that are the variant's own."""
    groups: dict[str, Any] = {
        "all": {"hosts": {name: {"ansible_host": address} for name, address in addresses.items()}}
    }
    groups["all"]["vars"] = {"machine_addresses": dict(addresses)}
    for name, of in variant.hosts.items():
        groups["all"]["hosts"][name].update(of.get("vars", {}))
        for group in of.get("groups", ()):
            groups.setdefault(group, {"hosts": {}})["hosts"][name] = {}
    return groups
