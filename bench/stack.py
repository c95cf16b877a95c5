"""A whole inventory in containers, and the ways to talk to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from celery import Celery
from celery.canvas import Signature
from celery.result import ResultBase, result_from_tuple
from redis import Redis, RedisError

from bench.client import producer
from bench.disk import Disk
from bench.host import Host
from bench.node import Node
from bench.remote import Agent
from bench.run import Run
from bench.services import services
from bench.stage import Staged
from bench.topology import follow, watch
from engine.waiting import await_truth
from verify.clients import celery_client, instance_client, login

START = 60.0  # seconds until Redis answers and every worker takes tasks
BROKER, BROKER_DATA = "redis-broker@redis-1", "/var/lib/redis/broker"
WORKER_STATE = "/var/lib/celery"
HISTORY = "history.jsonl"  # of probe.record, in WORKER_STATE
T = TypeVar("T")


class Stack:
    """Redis, workers and what else an inventory describes."""

    def __init__(
        self,
        run: Run,
        staged: Staged,
        *,
        disk: Disk | None = None,
        idle: bool = False,
    ) -> None:
        """Start everything and wait until it takes tasks.

        Args:
            run: owns the containers.
            staged: rendered files.
            disk: for the data of the broker on redis-1; unmounted at the end.
            idle: start no worker.

        Raises:
            NotPossible: if it does not come up in time.
        """
        self.run = run
        self.staged = staged
        self.fleet = staged.fleet
        self.disk = disk
        self._mounts = {BROKER: ((disk.path, BROKER_DATA, "rw"),)} if disk else {}
        self.nodes: dict[str, Node] = {}
        self._agents: dict[str, Agent] = {}
        described = [service for name in staged.addresses for service in services(name, staged.host(name))]
        if idle:
            described = [service for service in described if not service.runs_celery]
        self.hosts: dict[str, Host] = dict(
            _together(lambda item: (item[0], Host(run, *item)), staged.addresses.items())
        )
        try:
            self._start(service for service in described if not service.runs_celery)
            for node in self.redises:
                self.await_redis(node)
                with self.client(node) as admin:
                    follow(admin, staged, node.host.name, node.service.name.removeprefix("redis-"))
            for host in self.fleet.members("sentinel"):
                watch(staged, host, START)
            self._start(service for service in described if service.runs_celery)
            self.await_workers()
        except BaseException:
            self.close()
            raise

    def _start(self, described: Iterable[Any]) -> None:
        started = _together(
            lambda service: Node(
                self.run, self.hosts[service.host], service, self._mounts.get(f"{service.name}@{service.host}", ())
            ),
            described,
        )
        self.nodes.update({node.name: node for node in started})

    # -- what there is

    @property
    def redises(self) -> list[Node]:
        """The Redis servers."""
        return [node for node in self.nodes.values() if node.service.name.startswith("redis-")]

    @property
    def redis(self) -> Node:
        """The first of them; most stacks have one."""
        return self.redises[0]

    @property
    def workers(self) -> list[Node]:
        """The worker processes."""
        return [node for node in self.nodes.values() if node.service.name.startswith("celery-worker-")]

    @property
    def worker(self) -> Node:
        """The first of them."""
        return self.workers[0]

    # -- talking to it

    @cached_property
    def app(self) -> Celery:
        """An application that sends tasks, as the user producer."""
        return producer(self.staged)

    @cached_property
    def control(self) -> Celery:
        """An application that inspects, and gives up soon."""
        return celery_client(self.fleet, self.fleet.celery_hosts()[0])

    @property
    def speaks_plus(self) -> bool:
        """Whether its messages are those of celery-redis-plus, which this Python may be too old for."""
        return self.fleet.celery_hosts()[0].celery.transport == "redis-plus"

    def agent(self, user: str) -> Agent:
        """Return a client in a container, which speaks every transport, as a user of Redis."""
        if user not in self._agents:
            self._agents[user] = Agent(self.run, self.staged, self.worker.service, user)
        return self._agents[user]

    def publish(self, signature: Signature, **options: Any) -> ResultBase:
        """Send a task or a workflow as the user producer, over whichever transport."""
        if not self.speaks_plus:
            return self.app.signature(dict(signature)).apply_async(**options)
        return result_from_tuple(self.agent("producer").ask("publish", signature=signature, options=options), self.app)

    def command(self, command: str, names: Collection[str], timeout: float = 1.0, **arguments: Any) -> dict[str, Any]:
        """Send workers a command of remote control as the verifier, over whichever transport; return name → reply.

        Args:
            command: ping, active, cancel_consumer … (celery 5.7, worker/control.py).
            names: of the workers; one that does not reply in time is left out of the answer.
            timeout: seconds to wait for them.
            arguments: of the command.
        """
        asked: dict[str, Any] = {"destination": list(names), "timeout": timeout, "arguments": arguments}
        if self.speaks_plus:
            told = self.agent("verifier").ask("broadcast", command=command, **asked)
        else:
            told = self.control.control.broadcast(command, reply=True, limit=len(names), **asked)
        return {name: reply for one in told or () for name, reply in one.items()}

    def client(self, node: Node | None = None, user: str = "admin") -> Redis:
        """Return a client of a Redis server, which gives up soon and tries nothing twice."""
        node = node or self.redis
        host = self.fleet.hosts[node.host.name]
        instance = next(one for one in host.instances if f"redis-{one.name}" == node.service.name)
        return instance_client(host, instance, login(host, user))

    def info(self, section: str = "everything", node: Node | None = None) -> dict[str, Any]:
        """Return INFO of a Redis server."""
        with self.client(node) as client:
            told: dict[str, Any] = client.info(section)
        return told

    def histories(self) -> list[Path]:
        """Return the files that the workers' ledger is in."""
        folders = {node.data[WORKER_STATE] for node in self.workers}
        return [folder / HISTORY for folder in folders if (folder / HISTORY).exists()]

    # -- waiting

    def await_redis(self, node: Node | None = None, seconds: float = START) -> float:
        """Wait until a Redis server answers with its data loaded; return how long that took, in seconds."""

        def answers() -> bool:
            with contextlib.suppress(RedisError, OSError), self.client(node) as client:
                return bool(client.ping())
            return False

        return _timed(lambda: await_truth(f"an answer of {(node or self.redis).name}", answers, seconds))

    def await_workers(self, seconds: float = START) -> float:
        """Wait until every worker that runs answers and every queue is consumed; return how long that took, in s."""
        began = time.monotonic()
        names = {node.celery_name for node in self.workers if node.running}
        if not names:
            return 0.0

        def answered() -> bool:
            with contextlib.suppress(Exception):
                return set(self.command("ping", names)) == names
            return False

        await_truth(f"an answer of {', '.join(sorted(names))}", answered, seconds)
        return time.monotonic() - began

    # -- the end

    def evidence(self, folder: Path) -> None:
        """Write what a failing test shall leave behind: logs, and what Redis says of itself."""
        folder.mkdir(parents=True, exist_ok=True)
        for node in self.nodes.values():
            with contextlib.suppress(Exception):
                (folder / f"{node.name}.log").write_text(node.logs())
        for node in self.redises:
            with contextlib.suppress(Exception), self.client(node) as client:
                told = {
                    "info": client.info("everything"),
                    "config": client.config_get("*"),
                    "acl log": client.acl_log(),
                }
                told["keys"] = {key: client.type(key) for key in client.scan_iter(count=1000)}
                (folder / f"{node.name}.txt").write_text(
                    "\n\n".join(f"{name}: {value}" for name, value in told.items())
                )

    def close(self) -> None:
        """Remove the containers and give the addresses back."""
        if "app" in self.__dict__:
            # A result that outlives the stack would unsubscribe, and for that look for a dead Redis, twenty seconds long.
            self.app.backend.remove_pending_result = lambda result: result
        for made in ("app", "control"):
            if made in self.__dict__:
                with contextlib.suppress(Exception):
                    self.__dict__[made].close()
        _together(lambda agent: agent.close(), self._agents.values())
        _together(lambda node: node.remove(), self.nodes.values())
        _together(lambda host: host.remove(), self.hosts.values())
        if self.disk:
            self.disk.unmount()
        self.run.release(self.staged.addresses.values())


def _together(do: Callable[[Any], T], things: Iterable[Any]) -> list[T]:
    """Do the same to all things at once: most of it is waiting for Docker."""
    listed = list(things)
    with ThreadPoolExecutor(max(1, len(listed))) as pool:
        return list(pool.map(do, listed))


def _timed(do: Callable[[], object]) -> float:
    began = time.monotonic()
    do()
    return time.monotonic() - began
