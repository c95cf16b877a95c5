"""Containers of staged files (bench/): hosts of workers, and Redis on a disk of its own where this machine allows it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from celery.canvas import Signature
from redis import Redis

from bench.disk import Disk
from bench.node import Node
from bench.rest import heal
from bench.run import Run
from bench.stack import Stack
from bench.stage import Variant, stage
from drill.history import Event, History
from drill.targets.target import Cut, Failover, failover, patience
from engine.errors import NotPossible

SECOND = {"worker-2": {"groups": ["celery"]}}
TASK = "probe.record"
WORK = 0.05  # seconds that a task takes
# The inventory's own are short for tests that wait for them; with these a killed child is noticed first (rule limit-noticed).
LIMITS: dict[str, Any] = {"celery_task_time_limit": 8, "celery_task_soft_time_limit": 7, "celery_stop_timeout": 44}
LIMITS |= {"celery_visibility_timeout": 10}


class Containers:
    """A target; its services are the nodes of a stack."""

    def __init__(
        self,
        run: Run,
        images: Mapping[str, str],
        settings: Mapping[str, Any] | None = None,
        *,
        hosts: Mapping[str, Mapping[str, Any]] = SECOND,
        disk: bool = True,
    ) -> None:
        """Start it.

        Args:
            run: owns the containers.
            images: settings that name images and what is in them.
            settings: that differ from inventories/integration.
            hosts: besides those of it.
            disk: Redis has one of its own, which can be hurt.

        Raises:
            NotPossible: if it does not come up.
        """
        self._disk: Disk | None = None
        with contextlib.suppress(NotPossible):  # not root: no disk, and none of its faults
            self._disk = Disk(run.folder / "power") if disk else None
        staged = stage(run, Variant({**LIMITS, **(settings or {})}, hosts), images)
        self.stack = Stack(run, staged, disk=self._disk)

    @property
    def transport(self) -> str:
        """How workers fetch: redis or redis-plus."""
        return self.stack.fleet.celery_hosts()[0].celery.transport

    @property
    def patience(self) -> float:
        """Seconds after which a task that came back by the visibility timeout must have run."""
        return patience(self.stack.fleet)

    @property
    def redises(self) -> list[str]:
        """The Redis servers."""
        return [node.name for node in self.stack.redises]

    @property
    def master(self) -> str:
        """The first Redis: there is no other."""
        return self.redises[0]

    @property
    def workers(self) -> list[str]:
        """The worker processes."""
        return [node.name for node in self.stack.workers]

    @property
    def abilities(self) -> frozenset[str]:
        """A network, and a disk where this machine gives one."""
        return frozenset({"network", "disk"} if self._disk else {"network"})

    @property
    def failover(self) -> Failover | None:
        """What a failover may cost."""
        return failover(self.stack.fleet)

    def _node(self, name: str) -> Node:
        return self.stack.nodes[name]

    def kill(self, name: str) -> None:
        """End all its processes; nobody starts it again."""
        self._node(name).kill()

    def kill_main(self, name: str) -> None:
        """End its main process; the container's restart policy starts it again, as systemd would."""
        node = self._node(name)
        if node.service.init:
            node.signal(node.main())
        else:
            node.kill()

    def kill_children(self, name: str, count: int) -> None:
        """End children of its pool."""
        node = self._node(name)
        for child in node.children()[:count]:
            node.signal(child)

    def stop(self, name: str, signal: str = "TERM") -> None:
        """End it by a signal, and wait until it has."""
        node = self._node(name)
        if signal == "TERM":
            node.stop()
        else:
            node.end_by(signal, node.service.grace)

    def start(self, name: str) -> None:
        """Start it, unless it runs or is about to."""
        node = self._node(name)
        if not node.running:
            node.start()

    def pause(self, name: str) -> None:
        """Freeze it."""
        self._node(name).pause()

    def resume(self, name: str) -> None:
        """Let it go on."""
        self._node(name).resume()

    def cut(self, host: str, how: Cut) -> None:
        """Let nothing through."""
        self.stack.hosts[host].cut(how)

    def throttle(self, host: str, rate: str) -> None:
        """Slow down what it sends."""
        self.stack.hosts[host].throttle(rate)

    def heal(self, host: str) -> None:
        """Let everything through again."""
        self.stack.hosts[host].heal()

    @property
    def _power(self) -> Disk:
        if not self._disk:
            raise NotPossible("this machine gives no disk of its own: see `abilities`.")
        return self._disk

    def fill_disk(self) -> None:
        """Leave Redis no room."""
        self._power.fill()

    def empty_disk(self) -> None:
        """Give the room back."""
        self._power.empty()

    def cut_power(self, name: str) -> None:
        """Leave of the data what is on the disk at this moment."""
        node = self._node(name)
        node.pause()  # what runs on while the disk is copied would be in the copy in part
        left = self._power.freeze()
        node.kill()
        self._power.cut_power(left)

    def admin(self, name: str) -> Redis:
        """Return a client of a Redis."""
        return self.stack.client(self._node(name))

    def publish(self, entry: str) -> object:
        """Send one task."""
        return self.stack.publish(Signature(TASK, kwargs={"entry": entry, "seconds": WORK}), ignore_result=True)

    @cached_property
    def _seen(self) -> History:
        return History()

    def events(self) -> Iterator[Event]:
        """Return what the workers have written down."""
        self._seen.read(*self.stack.histories())
        return iter(self._seen)

    def mend(self) -> None:
        """Undo whatever faults have left."""
        if self._disk:
            self._disk.empty()
        heal(self.stack)

    def await_whole(self, seconds: float) -> None:
        """Wait until Redis answers."""
        self.stack.await_redis(seconds=seconds)

    def await_workers(self, seconds: float) -> None:
        """Wait until every worker answers."""
        self.stack.await_workers(seconds)
