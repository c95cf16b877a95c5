"""Three servers as containers: a system, and two generators of load that `make deploy` has put there."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import NotPossible
from integration_tests.hosts.fleet import Fleet, fleet_of
from integration_tests.waiting import wait_until
from loadtests.figures import Figures
from loadtests.generator.target import Target
from loadtests.run.distributed import generate_on_hosts, target_of_hosts
from loadtests.run.generate import Live
from settings.loader import load
from settings.model.load import LoadProfile

NAME, SYSTEM, GENERATORS = "load", "system", ("gen-1", "gen-2")
PROCESSES = 2  # on each: load_generators
LEFT = "ls -A /run/locust-generator 2>/dev/null; pgrep --list-full --uid locust; systemctl --quiet is-active locust-generator && echo runs; true"


@contextlib.contextmanager
def three(folder: Path, home: Path) -> Iterator[Fleet]:
    """Start them, with nothing on them; in the end they are removed."""
    with fleet_of(folder, home, NAME) as fleet:
        shutil.copytree(Path(__file__).parent / "inventory", fleet.inventory)
        fleet.make("hosts")
        yield fleet


def profile(rate: float, seconds: float, **more: object) -> LoadProfile:
    """Return a workload of one kind of task, at an even rate."""
    task = {"name": "add", "task": "probe.add", "args": [1, 2], "limit": 10, **more}
    return LoadProfile.model_validate({"name": "even", "tasks": [task], "phases": [{"seconds": seconds, "rate": rate}]})


@dataclass
class Run:
    """A run from these hosts, in a thread; at the end of a `with` block it has ended, whatever happened there."""

    fleet: Fleet
    profile: LoadProfile
    folder: Path
    changed: Callable[[Target], Target] = lambda target: target
    live: dict[str, float] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)
    figures: Figures | None = None
    error: BaseException | None = None
    cancelled: bool = False

    def __post_init__(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            fleet = load(self.fleet.inventory).fleet
            target = target_of_hosts(fleet, fleet.hosts[SYSTEM])
            self.figures = generate_on_hosts(
                fleet,
                self.fleet.inventory,
                self.changed(target),
                self.profile,
                self.folder,
                watch=self._watch,
                warn=self.warned.append,
            )
        except BaseException as error:  # raised where the run is waited for
            self.error = error

    def _watch(self, live: Live) -> None:
        self.live = dict(live)
        if self.cancelled:
            raise NotPossible("the test is over")

    def __enter__(self) -> Run:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.cancelled = True
        self._thread.join(30)

    def await_tasks(self, count: int = 1) -> None:
        """Wait until so many tasks have come to a good end."""
        wait_until(
            f"{count} tasks have ended", lambda: self.error is not None or self.live.get("ended", 0) >= count, 40
        )

    def end(self, seconds: float = 60) -> Figures:
        """Wait for the end; return the figures, or raise what was raised."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"the run has not ended within {seconds:g} s"
        if self.error is not None:
            raise self.error
        assert self.figures is not None
        return self.figures


def results(fleet: Fleet) -> int:
    """Count the results in Redis: tasks that a worker ran."""
    tls = "--tls --cacert /etc/redis/tls/ca.crt --cert /etc/redis/tls/server.crt --key /etc/redis/tls/server.key"
    login = f"REDISCLI_AUTH={fleet.machine['redis_passwords']['admin']} redis-cli --no-auth-warning --user admin"
    return int(fleet.on(SYSTEM, f"{login} {tls} --scan --pattern 'celery-task-meta-*' | wc -l").output)


def left(fleet: Fleet, host: str) -> str:
    """Return what a run has left on a host: files, processes, the unit."""
    return fleet.on(host, LEFT).output.strip()


def await_nothing_left(fleet: Fleet) -> None:
    """Wait until no host shows a trace of a run."""

    def nothing() -> bool:
        return not any(left(fleet, host) for host in GENERATORS)

    wait_until("the generators are gone", nothing, 20)
