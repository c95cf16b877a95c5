"""A stack of this machine's own: whatever runs below `stack_root`, started by `make up`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from loadtests.run.memory import Memory
from loadtests.run.places.place import Place, names
from settings.fleet import Fleet


@contextlib.contextmanager
def local(inventory: Path, fleet: Fleet) -> Iterator[Place]:
    """Yield it; it has to run already."""
    # the path of its programs, too: another stack of this machine may have workers of the same names
    roots = {host.name: host.stack.stack_root for host in fleet}
    found = {name: [name, roots[name.rpartition("@")[2]]] for name in names(fleet)}
    yield Place(inventory.resolve().name, fleet, Memory(found).sizes)
