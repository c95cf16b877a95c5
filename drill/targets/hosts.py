"""The hosts of an inventory, over SSH as Ansible reaches them, where systemd runs the services."""

from __future__ import annotations

import contextlib
import shlex
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cached_property
from typing import Literal

from celery import Celery
from redis import Redis, RedisError

from drill.history import Event, History, events
from drill.targets.login import Logins
from drill.targets.target import Cut, Failover, failover, patience
from engine.errors import NotPossible
from engine.waiting import await_truth
from settings.fleet import Fleet
from settings.model.redis import RedisInstance
from verify.clients import celery_client, instance_client, login

TASK = "probe.record"
WORK = 0.05  # seconds that a task takes
HISTORY = "/var/lib/celery/history.jsonl"
UNIT = "celery-worker@"
State = Literal["master", "in sync", "neither"]
STOPPED = 120.0  # seconds that a worker may take to end
# Both ways, and nothing of the loopback; SSH stays open, as the way to heal it. Ahead of the firewall's own table.
RULES = """table inet drill {{
  chain in {{ type filter hook input priority -10; iif != lo tcp dport != {ssh} {verdict}; }}
  chain out {{ type filter hook output priority -10; oif != lo tcp sport != {ssh} {verdict}; }}
}}"""
DEVICE = "dev=$(ip -o route show default | sed -n '1s/.* dev \\([^ ]*\\).*/\\1/p')"
HEALED = f"nft delete table inet drill 2>/dev/null; {DEVICE}; tc qdisc del dev $dev root 2>/dev/null; true"


class Hosts:
    """A target; its services are units of systemd, named `unit@host`."""

    def __init__(self, fleet: Fleet, logins: Logins) -> None:
        """Log in to every host; a tunnel to its Redis must be open.

        Raises:
            NotPossible: if a host cannot be reached as root.
        """
        self._fleet = fleet
        self._logins = logins
        self._celery = fleet.celery_hosts()[0]
        routed = (route.queue for route in self._celery.celery.routes if fnmatch(TASK, route.match))
        self._queue = next(routed, self._celery.celery.task_default_queue)
        able = [logins.run(host.name, "command -v nft; command -v tc; true").split() for host in fleet]
        # nobody fills the disk of a server, or cuts its power
        self.abilities = frozenset({"network"} if all(len(found) == 2 for found in able) else ())
        self._read: Counter[str] = Counter()  # bytes of each host's history
        for host in self._worker_hosts:
            self._read[host] = int(logins.run(host, f"stat -c %s {HISTORY} 2>/dev/null || echo 0"))

    @property
    def transport(self) -> str:
        """How workers fetch: redis or redis-plus."""
        return self._celery.celery.transport

    @property
    def patience(self) -> float:
        """Seconds after which a task that came back by the visibility timeout must have run."""
        return patience(self._fleet)

    @property
    def failover(self) -> Failover | None:
        """What a failover may cost."""
        return failover(self._fleet)

    @cached_property
    def redises(self) -> list[str]:
        """The Redis servers that hold the queues, in the order of the inventory."""
        instance = self._celery.celery.broker_instance
        return [f"redis-{instance}@{host.name}" for host, _ in self._fleet.members_of(instance)]

    @property
    def master(self) -> str | None:
        """The one that takes writes; it is asked each time, as Sentinel may have made it another."""
        masters = [name for name in self.redises if self._state(name) == "master"]
        return masters[0] if len(masters) == 1 else None

    @cached_property
    def workers(self) -> list[str]:
        """The worker processes that serve the queue of our tasks."""
        return self._units(self._queue)

    def _units(self, queue: str | None = None) -> list[str]:
        """Return worker processes: those of a queue, or all."""
        return [
            f"{UNIT}{worker.name}-{number}@{host.name}"
            for host in self._fleet.members("celery")
            for worker in host.workers
            if queue is None or queue in worker.queues
            for number in range(1, worker.processes + 1)
        ]

    @cached_property
    def _worker_hosts(self) -> list[str]:
        return sorted({_parts(name)[1] for name in self._units()})

    # -- to a service

    def kill(self, name: str) -> None:
        """End all its processes; systemd is told to leave it so."""
        self._systemctl(name, "kill --kill-whom=all --signal=KILL", "stop")

    def kill_main(self, name: str) -> None:
        """End its main process; systemd starts it again."""
        self._systemctl(name, "kill --kill-whom=main --signal=KILL")

    def kill_children(self, name: str, count: int) -> None:
        """End children of its pool."""
        unit, host = _parts(name)
        self._logins.run(host, f"pgrep -P $({_main(unit)}) | head -n {count} | xargs -r kill -KILL")

    def stop(self, name: str, signal: str = "TERM") -> None:
        """End it by a signal, and wait until it has; after any but TERM systemd starts it again."""
        if signal == "TERM":
            self._systemctl(name, "stop")
            return
        unit, host = _parts(name)
        before = self._logins.run(host, _main(unit))
        self._systemctl(name, f"kill --kill-whom=main --signal={signal}")
        await_truth(f"the end of {name} by SIG{signal}", lambda: self._logins.run(host, _main(unit)) != before, STOPPED)

    def start(self, name: str) -> None:
        """Start it, unless it runs or systemd is about to start it."""
        unit, host = _parts(name)
        state = f"$(systemctl show --property=ActiveState --value {shlex.quote(unit)})"
        self._logins.run(host, f"case {state} in active|activating) ;; *) systemctl start {shlex.quote(unit)} ;; esac")

    def pause(self, name: str) -> None:
        """Freeze its processes."""
        self._systemctl(name, "kill --kill-whom=all --signal=STOP")

    def resume(self, name: str) -> None:
        """Let them go on."""
        self._systemctl(name, "kill --kill-whom=all --signal=CONT")

    # -- to a host

    def cut(self, host: str, how: Cut) -> None:
        """Let nothing through but SSH."""
        verdict = "drop" if how == "drop" else "reject with icmpx type port-unreachable"
        self._logins.run(host, f"nft {shlex.quote(RULES.format(verdict=verdict, ssh=self._logins.port(host)))}")

    def throttle(self, host: str, rate: str) -> None:
        """Slow down what it sends."""
        self._logins.run(host, f"{DEVICE}; tc qdisc replace dev $dev root tbf rate {rate} burst 4kb latency 2s")

    def heal(self, host: str) -> None:
        """Let everything through again."""
        self._logins.run(host, HEALED)

    # -- to a disk

    def fill_disk(self) -> None:
        """Nobody does that to a server."""
        raise NotPossible("the disk of a server is not filled.")

    def empty_disk(self) -> None:
        """There is nothing to give back."""
        raise NotPossible("the disk of a server is not filled.")

    def cut_power(self, name: str) -> None:
        """Nobody does that to a server."""
        raise NotPossible(f"the power of {name} is not cut.")

    # -- talking to it

    def admin(self, name: str) -> Redis:
        """Return a client of a Redis, as its administrator."""
        host = self._fleet.hosts[_parts(name)[1]]
        return instance_client(host, self._instance(name), login(host, "admin"))

    def _instance(self, name: str) -> RedisInstance:
        unit, host = _parts(name)
        return next(one for one in self._fleet.hosts[host].instances if f"redis-{one.name}" == unit)

    def _state(self, name: str) -> State:
        """Return what a Redis is now; `neither`, too, if it gives no answer."""
        try:
            with self.admin(name) as admin:
                told = admin.info("replication")
        except (RedisError, OSError):
            return "neither"
        if told["role"] == "master":
            return "master"
        return "in sync" if told["master_link_status"] == "up" else "neither"

    @cached_property
    def _app(self) -> Celery:
        return celery_client(self._fleet, self._celery)

    def publish(self, entry: str) -> object:
        """Send one task, to the queue that its route says."""
        return self._app.send_task(
            TASK, kwargs={"entry": entry, "seconds": WORK}, queue=self._queue, ignore_result=True
        )

    @cached_property
    def _seen(self) -> History:
        return History()

    def events(self) -> Iterator[Event]:
        """Return what the workers have written down since the begin."""
        for host in self._worker_hosts:
            told = self._logins.run(host, f"test ! -e {HISTORY} || tail -c +{self._read[host] + 1} {HISTORY}").encode()
            whole = told[: told.rfind(b"\n") + 1]  # a line may be under way
            self._read[host] += len(whole)
            self._seen.merge(events(whole, f"{host}:{HISTORY}"))
        return iter(self._seen)

    # -- being well

    def mend(self) -> None:
        """Undo whatever faults have left, host by host; one that cannot be reached does not keep the others from it.

        Raises:
            NotPossible: naming what could not be mended.
        """
        failed = []
        for host in self._fleet:
            units = [unit for unit, of in map(_parts, (*self.redises, *self._units())) if of == host.name]
            again = [f"systemctl kill --kill-whom=all --signal=CONT {unit} 2>/dev/null" for unit in units]
            start = [f"systemctl start --no-block {' '.join(units)}"] if units else []
            try:
                self._logins.run(host.name, "; ".join((HEALED, *again, *start)))
            except NotPossible as error:
                failed.append(str(error))
        for name in self.redises:
            with contextlib.suppress(RedisError, OSError), self.admin(name) as admin:
                instance = self._instance(name)
                admin.config_set("maxmemory", instance.maxmemory)
                admin.config_set("min-replicas-to-write", instance.min_replicas_to_write)
        if failed:
            raise NotPossible("; ".join(failed))

    def await_whole(self, seconds: float) -> None:
        """Wait until there is one master and the others follow it."""
        count = len(self.redises)

        def whole() -> bool:
            states = Counter(map(self._state, self.redises))
            return states["master"] == 1 and states["in sync"] == count - 1

        await_truth(f"one master among {', '.join(self.redises)} with the others in sync", whole, seconds)

    def await_workers(self, seconds: float) -> None:
        """Wait until every worker answers, those of other queues, too."""
        wanted = {f"{unit.removeprefix(UNIT)}@{host}" for unit, host in map(_parts, self._units())}
        missing = set(wanted)

        def answered() -> bool:
            with contextlib.suppress(Exception):
                missing.difference_update(self._app.control.inspect(timeout=2.0).ping() or ())
            return not missing

        try:
            await_truth("an answer of every worker", answered, seconds)
        except NotPossible:
            raise NotPossible(f"{', '.join(sorted(missing))} did not answer within {seconds:g} s.") from None

    def _systemctl(self, name: str, *commands: str) -> None:
        unit, host = _parts(name)
        self._logins.run(host, " && ".join(f"systemctl {words} {shlex.quote(unit)}" for words in commands))


def _main(unit: str) -> str:
    """Return the command that tells the number of a unit's main process."""
    return f"systemctl show --property=MainPID --value {shlex.quote(unit)}"


def _parts(name: str) -> tuple[str, str]:
    """Return unit and host."""
    unit, _, host = name.rpartition("@")
    return unit, host
