"""A deployment whose worker group has a size of our choice, in containers of its staged files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from bench.run import Run
from bench.stack import Stack
from bench.stage import INVENTORY, Variant, stage
from loadtests.generator.target import Target
from settings.fleet import HostSettings
from settings.inventory import read_inventory
from settings.names import PREFIXES

GROUPS = "celery_workers"
Group = Mapping[str, Any]


def said(variable: str) -> Any:
    """Return a variable as the inventory says it; None where it does not."""
    hosts, _ = read_inventory(INVENTORY, PREFIXES)
    found = (host.variables.get(variable) for host in hosts.values() if "celery" in host.groups)
    one = next((one for one in found if one), None)
    return json.loads(json.dumps(one.value)) if one else None  # plain, without what Ansible knows of its origin


def sized(groups: Iterable[Group], name: str, processes: int, concurrency: int) -> list[Group]:
    """Return worker groups with one of them in another size, in which it does not scale by itself."""
    size = {"processes": processes, "concurrency": concurrency}
    return [
        {key: value for key, value in {**group, **size}.items() if key != "autoscale"}
        if group["name"] == name
        else group
        for group in groups
    ]


class Site:
    """The deployment: it runs with so many worker processes of the group, or fewer."""

    def __init__(self, stack: Stack, group: str) -> None:
        """Take a stack that runs."""
        self.stack = stack
        self.target = Target.of(stack.fleet, self.host)
        self.admin = Target.of(stack.fleet, self.host, "admin")
        mark = f"celery-worker-{group}-"
        self.workers = [node for node in stack.workers if node.service.name.removeprefix(mark).isdigit()]

    @property
    def host(self) -> HostSettings:
        """Whose settings of Celery hold."""
        return self.stack.fleet.celery_hosts()[0]

    def resize(self, count: int) -> None:
        """Let so many worker processes run, and wait until they take tasks."""
        with ThreadPoolExecutor(len(self.workers)) as pool:
            chosen, others = self.workers[:count], self.workers[count:]
            list(pool.map(lambda node: node.stop(), [node for node in others if node.running]))
            list(pool.map(lambda node: node.start(), [node for node in chosen if not node.running]))
        self.stack.await_workers()


@contextmanager
def site(run: Run, settings: Mapping[str, Any], group: str, processes: int, concurrency: int) -> Iterator[Site]:
    """Yield the deployment with a group of a size; its containers are removed afterwards.

    Args:
        run: owns the containers.
        settings: that differ from the inventory, with those that name images.
        group: name of the worker group.
        processes: of the group.
        concurrency: tasks at once of each.

    Raises:
        NotStaged: if the settings are refused in this size.
        NotPossible: if it does not come up.
    """
    size = {GROUPS: sized(said(GROUPS), group, processes, concurrency)}
    stack = Stack(run, stage(run, Variant({**settings, **size}), {}))
    try:
        yield Site(stack, group)
    finally:
        stack.close()
