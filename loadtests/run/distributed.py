"""A workload from the hosts of the inventory group `locust`: the master is here, its workers there.

No port is opened for it: each host is logged in to as Ansible does, and the master's port is forwarded to its loopback.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from engine.errors import NotPossible
from loadtests.figures import Figures
from loadtests.generator.target import VARIABLE, Target
from loadtests.run.carried import PROFILE, TARGET, carried
from loadtests.run.generate import (
    CHECKOUT,
    FIGURES,
    LIVE,
    LOCUSTFILE,
    LOG,
    ONE_FAILED,
    REPORT,
    START,
    TOO_SLOW,
    Live,
    await_end,
    end,
    last_words,
    longest,
)
from loadtests.run.launcher import FOLDER
from loadtests.run.remote import Generator
from settings.fleet import Fleet, HostSettings
from settings.localhost import free_ports
from settings.model.load import LoadProfile
from verify.tunnel import connections

DOUBT = (
    0.05  # seconds by which the start of a host may be wrong: what an arrival may be late, loadtests/generator/pace.py
)
AHEAD = 1.0  # seconds that a clock may differ before somebody is told; it is allowed for in any case
ENDING = 5.0  # seconds in which the master ends once its workers have


def target_of_hosts(fleet: Fleet, host: HostSettings, user: str = "producer") -> Target:
    """Return what a host of Celery publishes to, as other hosts reach it.

    Args:
        fleet: all hosts.
        host: whose settings of Celery hold.
        user: whose rights the generators have.

    Raises:
        NoTarget: if messages of its transport are not known.
    """
    return Target.of(fleet, replace(host, raw=replace(host.raw, name="")), user)


def generate_on_hosts(
    fleet: Fleet,
    inventory: Path,
    target: Target,
    profile: LoadProfile,
    folder: Path,
    *,
    watch: Callable[[Live], None] = lambda _: None,
    warn: Callable[[str], None] = lambda said: print(said, file=sys.stderr),
) -> Figures:
    """Run a workload to its end, from the hosts of the group `locust`: `load_generators` processes on each.

    Args:
        fleet: its hosts generate.
        inventory: says how to log in to them.
        target: what is put under load, as these hosts reach it: see `target_of_hosts`.
        profile: the workload.
        folder: where Locust's report, log and figures go.
        watch: is called again and again with what is known so far, as by `generate`.
        warn: is told of clocks that differ.

    Returns:
        The figures of all together. Their complaint tells a generator that was too slow, or that died: then they are
        not the system's.

    Raises:
        NotPossible: if a host cannot be reached or has no generator, or the target cannot; the message is one sentence.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (FIGURES, LIVE):
        (folder / name).unlink(missing_ok=True)
    files = carried(target, profile)
    port = free_ports(1)[0]
    with contextlib.ExitStack() as stack:
        generators = _connected(stack, fleet, inventory, port)
        for generator in generators:
            _tell(generator, warn)
        processes = sum(generator.host.load.generators for generator in generators)
        master = stack.enter_context(_master(port, processes, profile, folder))
        for generator in generators:
            generator.start(files, environment_of(generator))
        lost = _Lost(master, generators)
        await_end(master, folder, time.monotonic() + longest(profile), watch, lost.look)
    return _figures(master, folder, lost.why)


def environment_of(generator: Generator) -> dict[str, str]:
    """Return what the workers on a host find in their environment."""
    named = {VARIABLE: f"{FOLDER}/{TARGET}", "LOAD_PROFILE": f"{FOLDER}/{PROFILE}"}
    return {**named, "LOAD_AHEAD": repr(generator.clock.ahead)}


class _Lost:
    """Looks after the generators, and ends the run of which one is missing: its arrivals are."""

    def __init__(self, master: subprocess.Popen[bytes], generators: list[Generator]) -> None:
        """Nothing is missing yet."""
        self._master = master
        self._generators = generators
        self._first = ""  # that came to its end, which is right where the master does, too
        self._since = 0.0
        self.why = ""

    def look(self) -> None:
        """See whether all are there."""
        for generator in self._generators:
            said = generator.ended()
            if said and not self._first:
                self._first, self._since = said, time.monotonic()
        killed = any(generator.killed for generator in self._generators)
        if self._first and not self.why and (killed or time.monotonic() > self._since + ENDING):
            self.why = self._first
            self._master.terminate()


def _connected(stack: contextlib.ExitStack, fleet: Fleet, inventory: Path, port: int) -> list[Generator]:
    hosts = fleet.members("locust")
    if not hosts:
        raise NotPossible(f"{inventory} has no host in the group locust: name hosts that generate load there.")
    reached = connections(inventory)
    generators = []
    for host in hosts:
        generator = Generator(host, reached.get(host.name), inventory.resolve().name)
        generator.connect(port)
        stack.callback(generator.close)
        generators.append(generator)
    return generators


def _tell(generator: Generator, warn: Callable[[str], None]) -> None:
    name, clock = generator.host.name, generator.clock
    if abs(clock.ahead) > AHEAD:
        way = "ahead of" if clock.ahead > 0 else "behind"
        warn(
            f"The clock of {name} is {abs(clock.ahead):.3g} s {way} this machine's. The run allows for it; what else is "
            "there does not: let it be set by NTP."
        )
    if clock.doubt > DOUBT:
        warn(
            f"The way to {name} and back takes {2 * clock.doubt:.3g} s: its part of the schedule may begin up to "
            f"{clock.doubt:.3g} s beside the others'."
        )


@contextlib.contextmanager
def _master(port: int, processes: int, profile: LoadProfile, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run Locust's master, on loopback, until the end of the block."""
    (folder / "profile.json").write_text(profile.model_dump_json(indent=1), encoding="utf-8")
    environment = {
        **os.environ,
        "LOAD_PROFILE": str(folder / "profile.json"),
        "LOAD_FIGURES": str(folder / FIGURES),
    }
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"]
    command += ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port)]
    command += ["--expect-workers", str(processes), "--expect-workers-max-wait", f"{START:.0f}"]
    command += ["--html", str(folder / REPORT)]
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            end(process)


def _figures(master: subprocess.Popen[bytes], folder: Path, lost: str) -> Figures:
    """Return what the master wrote.

    Raises:
        NotPossible: if nothing was ever sent.
    """
    figures = Figures.read(folder / FIGURES) if (folder / FIGURES).exists() else Figures()
    if not figures.cells:
        raise NotPossible(f"{lost[0].upper()}{lost[1:]}" if lost else last_words(folder / LOG))
    if lost:
        figures.complaint = f"The run is void: {lost}. What it should have sent is missing."
        figures.write(folder / FIGURES)
    elif master.returncode not in (0, ONE_FAILED, TOO_SLOW):
        raise NotPossible(last_words(folder / LOG))
    return figures
