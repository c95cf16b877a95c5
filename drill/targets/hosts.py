"""The hosts of an inventory, over SSH as Ansible reaches them, where systemd runs the services."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from celery import Celery
from redis import Redis

from drill.history import Event, History, events
from drill.targets.target import Cut, patience
from engine.errors import NotPossible
from engine.waiting import await_truth
from settings.loader import InventoryRefused, load
from verify.clients import celery_client, instance_client, login
from verify.tunnel import NoTunnel, connections, ssh, tunnel

TASK = "probe.record"
WORK = 0.05  # seconds that a task takes
HISTORY = "/var/lib/celery/history.jsonl"
KEPT = 5.0  # seconds that a login is kept for the next command
# Both ways, and nothing of the loopback; SSH stays open, as the way to heal it.
RULES = """table inet drill {{
  chain in {{ type filter hook input priority -10; iif != lo tcp dport != 22 {verdict}; }}
  chain out {{ type filter hook output priority -10; oif != lo tcp sport != 22 {verdict}; }}
}}"""


class Hosts:
    """A target; its services are units of systemd, named `unit@host`."""

    abilities: frozenset[str] = frozenset()  # nobody fills the disk of a server, or cuts its power

    def __init__(self, inventory: Path) -> None:
        """Read the inventory; a tunnel to its Redis must be open.

        Raises:
            NotPossible: where it is no deployment that can be drilled.
        """
        self.fleet = load(inventory).fleet
        self._logins = connections(inventory)
        if not all(host.stack.stack_drill for host in self.fleet):
            raise NotPossible(
                f"{inventory}: nobody lets faults loose on a deployment that does not allow it: `stack_drill: true` in its "
                "group_vars does. Never say that of production."
            )
        with_supervisor = [host.name for host in self.fleet if host.stack.process_manager != "systemd"]
        if with_supervisor:
            raise NotPossible(f"{', '.join(with_supervisor)} run under supervisor: a drill over SSH takes systemd.")

    @property
    def transport(self) -> str:
        """How workers fetch: redis or redis-plus."""
        return self.fleet.celery_hosts()[0].celery.transport

    @property
    def patience(self) -> float:
        """Seconds after which a task that came back by the visibility timeout must have run."""
        return patience(self.fleet)

    @cached_property
    def redises(self) -> list[str]:
        """The Redis servers that hold the queues, the present master first."""
        instance = self.fleet.celery_hosts()[0].celery.broker_instance
        names = [f"redis-{instance}@{host.name}" for host, _ in self.fleet.members_of(instance)]
        return sorted(names, key=lambda name: self._role(name) != "master")

    @cached_property
    def workers(self) -> list[str]:
        """The worker processes."""
        return [
            f"celery-worker@{worker.name}-{number}@{host.name}"
            for host in self.fleet.members("celery")
            for worker in host.workers
            for number in range(1, worker.processes + 1)
        ]

    # -- to a service

    def kill(self, name: str) -> None:
        """End all its processes; systemd starts it again."""
        self._unit(name, "kill --kill-whom=all --signal=KILL")

    def kill_main(self, name: str) -> None:
        """End its main process; systemd starts it again."""
        self._unit(name, "kill --kill-whom=main --signal=KILL")

    def kill_children(self, name: str, count: int) -> None:
        """End children of its pool."""
        unit, host = _parts(name)
        main = f"$(systemctl show --property=MainPID --value {unit})"
        self._on(host, f"pgrep -P {main} | head -n {count} | xargs -r kill -KILL")

    def stop(self, name: str, signal: str = "TERM") -> None:
        """End it by a signal, and wait until it has; after any but TERM systemd starts it again."""
        unit, host = _parts(name)
        if signal == "TERM":
            self._unit(name, "stop")
            return
        asked = f"systemctl show --property=MainPID --value {unit}"
        main = self._on(host, asked).strip()
        self._unit(name, f"kill --kill-whom=main --signal={signal}")
        await_truth(f"the end of {name} by SIG{signal}", lambda: self._on(host, asked).strip() != main, 120)

    def start(self, name: str) -> None:
        """Start it, unless it runs."""
        self._unit(name, "start")

    def pause(self, name: str) -> None:
        """Freeze its processes."""
        self._unit(name, "kill --kill-whom=all --signal=STOP")

    def resume(self, name: str) -> None:
        """Let them go on."""
        self._unit(name, "kill --kill-whom=all --signal=CONT")

    # -- to a host

    def cut(self, host: str, how: Cut) -> None:
        """Let nothing through but SSH."""
        verdict = "drop" if how == "drop" else "reject with icmpx type port-unreachable"
        self._on(host, f"nft {shlex.quote(RULES.format(verdict=verdict))}")

    def throttle(self, host: str, rate: str) -> None:
        """Slow down what it sends."""
        self._on(host, f"tc qdisc replace dev {self._device(host)} root tbf rate {rate} burst 4kb latency 2s")

    def heal(self, host: str) -> None:
        """Let everything through again."""
        quiet = "2>/dev/null || true"
        self._on(host, f"nft delete table inet drill {quiet}; tc qdisc del dev {self._device(host)} root {quiet}")

    def _device(self, host: str) -> str:
        return self._on(host, "ip -o route show default | head -n 1 | sed 's/.* dev \\([^ ]*\\).*/\\1/'").strip()

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
        unit, host = _parts(name)
        of = self.fleet.hosts[host]
        instance = next(one for one in of.instances if f"redis-{one.name}" == unit)
        return instance_client(of, instance, login(of, "admin"))

    def _role(self, name: str) -> str:
        with self.admin(name) as admin:
            return str(admin.info("replication")["role"])

    @cached_property
    def _app(self) -> Celery:
        return celery_client(self.fleet, self.fleet.celery_hosts()[0])

    def publish(self, entry: str) -> object:
        """Send one task, to the queue that its route says."""
        celery = self.fleet.celery_hosts()[0].celery
        routed = (route.queue for route in celery.routes if fnmatch(TASK, route.match))
        queue = next(routed, celery.task_default_queue)
        return self._app.send_task(TASK, kwargs={"entry": entry, "seconds": WORK}, queue=queue, ignore_result=True)

    @cached_property
    def _seen(self) -> History:
        return History()

    def events(self) -> Iterator[Event]:
        """Return what the workers have written down."""
        for host in {_parts(name)[1] for name in self.workers}:
            told = self._on(host, f"test ! -e {HISTORY} || cat {HISTORY}")
            self._seen.merge(events(told.encode(), f"{host}:{HISTORY}"))
        return iter(self._seen)

    def settle(self, seconds: float) -> None:
        """Heal everything; a worker that does not answer then needs a person."""
        for host in self.fleet:
            self.heal(host.name)
        for name in (*self.redises, *self.workers):
            self.resume(name)
        control = self._app.control
        wanted = {f"{_parts(name)[0].removeprefix('celery-worker@')}@{_parts(name)[1]}" for name in self.workers}

        def answered() -> bool:
            with contextlib.suppress(Exception):
                return set(control.inspect(timeout=2.0).ping() or ()) >= wanted
            return False

        await_truth(f"an answer of {', '.join(sorted(wanted))}", answered, seconds)

    def _unit(self, name: str, words: str) -> None:
        unit, host = _parts(name)
        self._on(host, f"systemctl {words} {shlex.quote(unit)}")

    def _on(self, host: str, script: str) -> str:
        """Run a shell script as root.

        Raises:
            NotPossible: if it fails, or the host cannot be logged in to.
        """
        words = ssh(host, self._logins[host], "-o", "ControlMaster=auto", "-o", f"ControlPersist={KEPT:g}")
        done = subprocess.run(
            [*words, f"sudo -n sh -c {shlex.quote(script)}"], capture_output=True, text=True, check=False, timeout=180
        )
        if done.returncode:
            raise NotPossible(f"{host}: {script}: exit {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def _parts(name: str) -> tuple[str, str]:
    """Return unit and host."""
    unit, _, host = name.rpartition("@")
    return unit, host


@contextlib.contextmanager
def hosts(inventory: Path) -> Iterator[Hosts]:
    """Yield the hosts of an inventory, as long as a tunnel to their Redis is open.

    Raises:
        NotPossible: if the inventory is refused, or a host cannot be reached.
    """
    try:
        fleet = load(inventory).fleet
        with tunnel(fleet, inventory):
            yield Hosts(inventory)
    except (InventoryRefused, NoTunnel) as error:
        raise NotPossible(str(error)) from None
