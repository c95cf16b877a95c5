"""In which order the promises are asked for: what others need comes first, what is independent at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from settings.fleet import Fleet, HostSettings
from settings.loader import Loaded
from settings.model.redis import RedisInstance
from settings.resolved import resolve_all
from verify.board import Board
from verify.checks import (
    beat,
    behaviour,
    certificate,
    host,
    managed,
    queues,
    redis_server,
    restart,
    security,
    sentinel,
    workers,
)
from verify.checks.stage import stage
from verify.clients import celery_client, result_client
from verify.context import Target
from verify.evidence import Evidence
from verify.expected import Application, applications
from verify.model import Row
from verify.results import Answers
from verify.server import Server
from verify.threads import Budget, Later, Lazily, together
from verify.words import Words

PATIENT = 12.0  # seconds that all questions together may wait
RESTARTING = 600.0  # the same with --allow-restart: a warm stop may take its whole timeout
LAST = ("settings", "host", "redis", "security", "sentinel", "workers", "queues", "beat", "behaviour", "restart")


@dataclass(frozen=True)
class Instance:
    """What was found of an instance that applications use."""

    answers: Row
    logins: dict[str, Row]  # user → whether it may log in
    memory: Row
    steady: redis_server.Steady
    role: str  # what it said: master, slave, or nothing


@dataclass
class Run:
    """One verification of an inventory."""

    loaded: Loaded
    inventory: Path
    board: Board
    evidence: Iterable[Evidence] | None = None  # one, which may come late
    allow_restart: bool = False
    only: str | None = None
    finished: Callable[[str], None] = lambda group: None
    versions: dict[str, str] = field(default_factory=dict)  # instance → version of its server

    def __post_init__(self) -> None:
        """Start the clock."""
        self.fleet: Fleet = self.loaded.fleet
        self.words = Words(self.inventory)
        self.budget = Budget(RESTARTING if self.allow_restart else PATIENT)
        self.pending: dict[str, int] = {}  # group → applications that are not through with it
        self.instances: dict[tuple[str, str], Instance] = {}

    def all(self) -> None:
        """Ask for every promise, or for those of one group and what they need."""
        host.risks(self.board, self.loaded.findings)
        self._finish("settings")
        together([self._hosts, self._services])
        for instance in self.instances.values():
            instance.steady.end()

    def _hosts(self) -> None:
        """Judge what a play found on the hosts; it may still be looking."""
        found = None if self.evidence is None else next(iter(self.evidence))
        host.check(self.board, self.fleet, found, self.words)
        self._finish("host")

    def _services(self) -> None:
        instances = [partial(self._instance, owner, instance) for owner in self.fleet for instance in owner.instances]
        together([*instances, partial(sentinel.check, self.board, self.fleet, self.words)])
        self._finish("redis", "security", "sentinel")
        if self._wants("workers"):
            found = applications(self.fleet, resolve_all(self.fleet))
            self.pending.update({group: len(found) for group in LAST[LAST.index("workers") :]})
            nodes = frozenset(worker.node for application in found for worker in application.workers)
            together([partial(self._application, application, nodes) for application in found])

    def _wants(self, group: str) -> bool:
        """Whether a group, or one that needs it, is asked for."""
        return not self.only or LAST.index(self.only) >= LAST.index(group)

    def _finish(self, *groups: str) -> None:
        """Tell that groups are done, once the last application is through with them."""
        for group in groups:
            self.pending[group] = self.pending.get(group, 1) - 1
            if self.pending[group] == 0 and self.only in (None, group):
                self.finished(group)

    def _instance(self, owner: HostSettings, instance: RedisInstance) -> None:
        server = Server(self.fleet, owner, instance, self.board, self.words)
        answers = redis_server.answers(server)
        steady = redis_server.Steady(server, answers)
        up, silent = Lazily(lambda: [answers, *steady.known()]), Lazily(steady.rows)
        logins = security.check(server, up, silent)
        certificate.check(server, up, silent)
        admin = [logins["admin"]] if "admin" in logins else []
        memory = redis_server.check(server, Lazily(lambda: [*up, *admin]), silent)
        role = str(server.info.get("role", "")) if "info" in vars(server) else ""
        if "info" in vars(server):
            self.versions[server.name] = str(server.info.get("redis_version"))
        self.instances[owner.name, instance.name] = Instance(answers, logins, memory, steady, role)

    def _gates(self, application: Application, user: str) -> Iterator[Row]:
        """Yield the rows of the instances that an application uses, and of a user's login there."""
        for used in self._used(application):
            yield from (used.answers, *used.steady.known())
            if user in used.logins:
                yield used.logins[user]

    def _used(self, application: Application) -> list[Instance]:
        """Return the instances that an application uses, the masters of the moment; none where Redis is managed."""
        names = dict.fromkeys((application.settings.broker_instance, application.settings.result_instance))
        return [found for name in names if (found := self._master(name))]

    def _master(self, name: str) -> Instance | None:
        """Return the master of a name: the one that says so, or the settings' where none does."""
        found = [self.instances[host.name, name] for host, _ in self.fleet.members_of(name)]
        if self.fleet.watched(name) and (masters := [one for one in found if one.role == "master"]):
            return masters[0]
        pair = self.fleet.find_instance(name)
        return self.instances[pair[0].name, name] if pair else None

    def _servers(self, application: Application) -> Iterator[Row]:
        """Yield what explains that questions fail: a server that went silent, or is full."""
        for used in self._used(application):
            yield from used.steady.rows()
            yield used.memory

    def _application(self, application: Application, nodes: frozenset[str]) -> None:
        try:
            client = celery_client(self.fleet, application.host)
        except ModuleNotFoundError as error:
            managed.no_transport(self.board, application, error)
            return
        answers = Answers(client, result_client(self.fleet, application.host), self.budget)
        target = Target(application, self.board, self.words, client, answers, self.budget)
        target.nodes, target.servers = nodes, Lazily(partial(self._servers, application))
        gates: Iterable[Row] = Lazily(partial(self._gates, application, "verifier"))
        if not application.host.redis.unmanaged:
            gates = [managed.check(target)]
        foreign = Later(partial(workers.strangers, target, gates))
        try:
            self._questions(target, gates, Lazily(partial(self._gates, application, "worker")), foreign)
        finally:
            answers.close()

    def _questions(
        self, target: Target, gates: Iterable[Row], worker_gates: Iterable[Row], foreign: Later[Row]
    ) -> None:
        found, alive = workers.check(target, gates)
        if not self._wants("queues"):
            list(foreign)
            self._finish("workers")
            return
        explained = Lazily(lambda: [*target.servers, *worker_gates, *foreign])
        canaries = queues.check(target, found, alive, gates, explained)
        self._finish("queues")
        main = stage(target, canaries, worker_gates, explained)
        tasks: list[Callable[[], object]] = []
        if self._wants("beat"):
            tasks.append(partial(beat.check, target, canaries, gates))
        if self._wants("behaviour"):
            tasks.append(partial(behaviour.check, main, canaries, found))
        together(tasks)
        list(foreign)
        self._finish("workers", "beat", "behaviour")
        if self.allow_restart and self._wants("restart"):
            restart.check(main, canaries, found)
            self._finish("restart")
