"""Who may be put under load, and how he is reached."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.stage import INVENTORY
from engine.errors import NotPossible
from loadtests.run.places.place import Place
from settings.fleet import Fleet
from settings.loader import InventoryRefused, load, load_unjudged
from settings.model.load import LoadProfile


def is_containers(inventory: Path) -> bool:
    """Whether an inventory stands for containers."""
    return inventory.resolve() == INVENTORY


def read(inventory: Path) -> Fleet:
    """Return the hosts of an inventory that may be put under load.

    Raises:
        NotPossible: if it must not be, or is refused.
    """
    try:
        fleet = load_unjudged(inventory)
        if is_containers(inventory):
            return fleet
        may_be_loaded(inventory, fleet)  # whatever else is wrong with production
        return load(inventory).fleet
    except InventoryRefused as error:
        raise NotPossible(str(error)) from None


def may_be_loaded(inventory: Path, fleet: Fleet) -> None:
    """Refuse what must not be put under load.

    Raises:
        NotPossible: naming the hosts.
    """
    closed = [host.name for host in fleet if not host.load.allowed]
    if closed:
        raise NotPossible(
            f"{inventory}: {', '.join(closed)}: load_allowed is false, so no load is put on them; write "
            "`load_allowed: true` in the group_vars of a deployment that may be, never of production."
        )
    if not fleet.celery_hosts():
        raise NotPossible(f"{inventory} has no host in the group celery: there is nothing to put under load.")


@contextlib.contextmanager
def place(
    inventory: Path, fleet: Fleet, profile: LoadProfile, *, matrix: str = "", settings: Mapping[str, Any] | None = None
) -> Iterator[Place]:
    """Yield what an inventory describes, reached.

    Args:
        inventory: inventories/integration runs in containers.
        fleet: what `read` returned of it.
        profile: what will be done.
        matrix: of containers.
        settings: of containers, that differ from the inventory.

    Raises:
        NotPossible: if it cannot be had.
        NotStaged: if settings of containers are refused.
    """
    if is_containers(inventory):
        from loadtests.run.places.containers import containers

        with containers(matrix, settings or {}, profile) as made:
            yield made
        return
    if settings or matrix:
        raise NotPossible(f"{inventory}: --set and --matrix are for containers; hosts are put under load as they are.")
    if all(host.stack.stack_root for host in fleet):
        if profile.faults:
            raise NotPossible(
                f"{profile.name} has faults, and they happen in containers or on hosts over SSH: use ENV=integration."
            )
        from loadtests.run.places.local import local

        with local(inventory, fleet) as found:
            yield found
        return
    from loadtests.run.places.hosts import hosts

    with hosts(inventory, fleet, profile) as reached:
        yield reached
