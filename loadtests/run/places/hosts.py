"""Hosts over SSH, as Ansible reaches them."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

from drill.targets.access import may_be_hurt, through
from drill.targets.hosts import Hosts
from drill.targets.login import Logins
from engine.errors import NotPossible
from loadtests.run import memory
from loadtests.run.places.place import Place, names
from settings.fleet import Fleet
from settings.model.load import LoadProfile
from verify.tunnel import NoTunnel, connections, tunnel

STALE = 5.0  # seconds after which what a host has said is no longer so
AGAIN = 10.0  # seconds until a connection that broke is tried again
STOP = 5.0  # seconds that the far end may take to end


@contextlib.contextmanager
def hosts(inventory: Path, fleet: Fleet, profile: LoadProfile) -> Iterator[Place]:
    """Yield the hosts of an inventory, as long as a tunnel to their Redis is open.

    Raises:
        NotPossible: if faults are asked for and may not be done there, or a host cannot be reached.
    """
    if profile.faults:
        may_be_hurt(inventory, fleet)
    try:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="load-"))
            ways = stack.enter_context(tunnel(fleet, inventory, through(fleet)))
            logins = Logins(connections(inventory), Path(folder))
            stack.callback(logins.close)
            far = FarMemory(logins, names(fleet))
            stack.callback(far.close)
            hurtable = Hosts(fleet, logins) if profile.faults else None
            senders = inventory if fleet.members("locust") else None
            yield Place(inventory.resolve().name, fleet, far.sizes, hurtable, ways, senders)
    except NoTunnel as error:
        raise NotPossible(str(error)) from None


class FarMemory:
    """The memory of workers on other hosts: memory.py runs there and tells each second, over a connection that stays."""

    def __init__(self, logins: Logins, workers: Sequence[str]) -> None:
        """Start it on each host of a worker."""
        self._logins = logins
        self._names: dict[str, list[str]] = {}
        for name in workers:
            self._names.setdefault(name.rpartition("@")[2], []).append(name)
        self._told: dict[str, tuple[float, dict[str, int]]] = {}  # host → when, and what
        self._processes: dict[str, tuple[float, subprocess.Popen[str]]] = {}  # host → since when
        for host in self._names:
            self._open(host)

    def sizes(self) -> dict[str, int]:
        """Return worker → bytes, as its host told last; of one that has fallen silent, nothing."""
        now = time.monotonic()
        for host, (since, process) in list(self._processes.items()):
            if process.poll() is not None and now > since + AGAIN:
                self._open(host)
        return {
            name: size for when, told in list(self._told.values()) if now < when + STALE for name, size in told.items()
        }

    def _open(self, host: str) -> None:
        program = Path(memory.__file__).read_text(encoding="utf-8")
        process = self._logins.open(host, f"exec python3 -c {shlex.quote(program)}")
        self._processes[host] = time.monotonic(), process
        with contextlib.suppress(OSError):  # it ended at once; the next look tries again
            cast("IO[str]", process.stdin).write(json.dumps({name: [name] for name in self._names[host]}) + "\n")
        threading.Thread(target=self._read, args=(host, process), daemon=True).start()

    def _read(self, host: str, process: subprocess.Popen[str]) -> None:
        for line in cast("IO[str]", process.stdout):
            with contextlib.suppress(ValueError):  # half a line, of a connection that broke
                self._told[host] = time.monotonic(), json.loads(line)

    def close(self) -> None:
        """End it everywhere."""
        for _, process in self._processes.values():
            with contextlib.suppress(OSError):
                cast("IO[str]", process.stdin).close()
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
