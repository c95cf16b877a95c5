"""inventories/integration: containers of its staged files, as a drill has them, for the time of a campaign."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from bench.run import Run
from bench.stage import INVENTORY
from drill.faults import FAULTS
from drill.targets.containers import Containers
from engine.daemon import engine
from engine.errors import NotPossible
from engine.matrix import combinations
from loadtests.run.memory import Memory
from loadtests.run.places.place import Place
from settings.model.load import LoadProfile


@contextlib.contextmanager
def containers(matrix: str, settings: Mapping[str, Any], profile: LoadProfile) -> Iterator[Place]:
    """Yield containers; they are removed afterwards.

    Args:
        matrix: what they are made of.
        settings: that differ from the inventory.
        profile: says what will be hurt.

    Raises:
        NotPossible: if this machine has no Docker, or they do not come up.
        NotStaged: if the settings are refused.
    """
    first, *others = combinations(matrix)
    if others:
        raise NotPossible(f"MATRIX={matrix!r}: a run is of one combination: name one value each.")
    if first.transport != "redis":
        raise NotPossible(
            f"MATRIX={matrix!r}: the generator writes the messages of the transport redis only: leave transport= out."
        )
    client = engine()
    disk = any("disk" in FAULTS[name].needs for name in profile.faults)
    with Run(client) as run:
        hurtable = Containers(run, first.settings(client), settings, hosts={}, disk=disk)
        ids = {node.celery_name: [str(node.container.id)] for node in hurtable.stack.workers}
        try:
            yield Place(INVENTORY.name, hurtable.stack.fleet, Memory(ids, "cgroup").sizes, hurtable)
        finally:
            hurtable.stack.close()
