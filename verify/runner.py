"""In which order the promises are asked for: what others need comes first, what is independent at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kombu.exceptions import OperationalError

from settings.fleet import Fleet, HostSettings
from settings.loader import Loaded
from settings.model.redis import RedisInstance
from settings.resolved import resolve_all
from verify.board import Board
from verify.checks import beat, behaviour, host, managed, queues, redis_server, restart, security, workers
from verify.checks.stage import stage
from verify.clients import celery_client, result_client
from verify.context import Target
from verify.evidence import Evidence
from verify.expected import Application, applications
from verify.model import Row
from verify.results import Answers
from verify.server import Server
from verify.threads import Budget, Later, together
from verify.words import Words

PATIENT = 15.0  # seconds that all questions together may wait
RESTARTING = 600.0  # the same with --allow-restart: a warm stop may take its whole timeout
LAST = ("settings", "host", "redis", "security", "workers", "queues", "beat", "behaviour", "restart")


@dataclass
class Run:
    """One verification of an inventory."""

    loaded: Loaded
    inventory: Path
    board: Board
    evidence: Evidence | None = None
    allow_restart: bool = False
    only: str | None = None
    finished: Callable[[str], None] = lambda group: None
    versions: dict[str, str] = field(default_factory=dict)  # instance → version of its server

    def __post_init__(self) -> None:
        """Start the clock."""
        self.fleet: Fleet = self.loaded.fleet
        self.words = Words(self.inventory)
        self.budget = Budget(RESTARTING if self.allow_restart else PATIENT)
        self.instances: dict[tuple[str, str], tuple[Row, dict[str, Row]]] = {}

    def all(self) -> None:
        """Ask for every promise, or for those of one group and what they need."""
        host.risks(self.board, self.loaded.findings)
        host.check(self.board, self.fleet, self.evidence, self.words)
        self._finish("settings", "host")
        together([partial(self._instance, owner, instance) for owner in self.fleet for instance in owner.instances])
        self._finish("redis", "security")
        if self._wants("workers"):
            found = applications(self.fleet, resolve_all(self.fleet))
            nodes = frozenset(worker.node for application in found for worker in application.workers)
            together([partial(self._application, application, nodes) for application in found])
        self._finish("workers", "queues", "beat", "behaviour", "restart")

    def _wants(self, group: str) -> bool:
        """Whether a group, or one that needs it, is asked for."""
        return not self.only or LAST.index(self.only) >= LAST.index(group)

    def _finish(self, *groups: str) -> None:
        for group in groups:
            self.finished(group)

    def _instance(self, owner: HostSettings, instance: RedisInstance) -> None:
        server = Server(self.fleet, owner, instance, self.board, self.words)
        answers = redis_server.answers(server)
        logins = security.check(server, answers)
        self.instances[owner.name, instance.name] = answers, logins
        redis_server.check(server, [answers, *([logins["admin"]] if "admin" in logins else [])])
        if "info" in vars(server):
            self.versions[server.name] = str(server.info.get("redis_version"))

    def _gates(self, application: Application, user: str, *names: str) -> list[Row]:
        """Return the rows of the instances that an application uses, and of a user's login there."""
        rows: list[Row] = []
        for name in dict.fromkeys(names):
            found = self.fleet.find_instance(name)
            if found:
                answers, logins = self.instances[found[0].name, name]
                rows += [answers, *([logins[user]] if user in logins else [])]
        return rows

    def _application(self, application: Application, nodes: frozenset[str]) -> None:
        settings = application.settings
        try:
            client = celery_client(self.fleet, application.host)
        except ModuleNotFoundError as error:
            managed.no_transport(self.board, application, error)
            return
        answers = Answers(client, result_client(self.fleet, application.host), self.budget)
        target = Target(application, self.board, self.words, client, answers, self.budget, nodes)
        used = (settings.broker_instance, settings.result_instance)
        gates = self._gates(application, "verifier", *used)
        if application.host.redis.managed_url:
            gates = [managed.check(target)]
        foreign = Later(partial(workers.strangers, target, gates))
        try:
            self._questions(target, gates, self._gates(application, "worker", *used), foreign)
            list(foreign)
        finally:
            answers.close()

    def _questions(
        self, target: Target, gates: Sequence[Row], worker_gates: Sequence[Row], foreign: Later[Row]
    ) -> None:
        try:
            found, alive = workers.check(target, gates)
            if not self._wants("queues"):
                return
            canaries = queues.check(target, found, alive, gates, Later(lambda: [*worker_gates, *foreign]))
        except OperationalError as error:
            managed.lost(target, error)
            return
        tasks: list[Callable[[], object]] = []
        if self._wants("beat"):
            tasks.append(partial(beat.check, target, canaries, gates))
        main = stage(target, canaries, worker_gates, foreign)
        if self._wants("behaviour"):
            tasks.append(partial(behaviour.check, main, canaries, found))
        together(tasks)
        if self.allow_restart and self._wants("restart"):
            restart.check(main, canaries, found)
