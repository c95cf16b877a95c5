"""A steady stream of tasks, counted outside the Redis under test: what was sent, and how often each ran."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import uuid4

from celery import Celery

from integration_tests.hosts.fleet import Fleet
from integration_tests.waiting import wait_until
from settings.loader import load
from verify.clients import celery_client
from verify.tunnel import tunnel

RATE = 50.0  # tasks per second
DRAIN = 90.0  # seconds in which the last tasks have to run
LEDGER = "/var/lib/celery/ledger.db"
KEPT = "/srv/kept-ledger.db"  # of a host that is taken out of service: a second name of the same file
READ = (
    "import json, sqlite3, sys; database = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True, timeout=10); "
    "print(json.dumps(dict(database.execute('SELECT entry_id, attempts FROM writes').fetchall())))"
)


@dataclass
class Stream:
    """Tasks that are sent at a rate of their own, whatever the system does."""

    app: Celery
    queue: str
    prefix: str = field(default_factory=lambda: uuid4().hex[:8])
    sent: list[str] = field(default_factory=list)  # acknowledged by the broker
    doubtful: list[str] = field(default_factory=list)  # the publish raised: it may or may not have arrived

    def __post_init__(self) -> None:
        """Nothing is sent yet."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        began = time.monotonic()
        number = 0
        while not self._stop.wait(max(0.0, began + number / RATE - time.monotonic())):
            entry = f"{self.prefix}-{number:06d}"
            try:
                self.app.send_task("probe.ledger", kwargs={"entry_id": entry}, queue=self.queue, ignore_result=True)
                self.sent.append(entry)
            except Exception:  # whatever class: the judge only wants to know that it is in doubt
                self.doubtful.append(entry)
            number += 1

    def start(self) -> None:
        """Begin, and return once tasks are accepted."""
        self._thread.start()
        wait_until("the first tasks are accepted", lambda: len(self.sent) > RATE, 30)

    def stop(self) -> None:
        """End after the task that is being sent."""
        self._stop.set()
        self._thread.join()


@dataclass(frozen=True)
class Verdict:
    """What a stream came to."""

    sent: int
    doubtful: int
    lost: list[str]
    twice: list[str]

    def __str__(self) -> str:
        """One line for the report."""
        return f"{self.sent} sent, {self.doubtful} in doubt, {len(self.lost)} lost, {len(self.twice)} twice"


def ledger(fleet: Fleet) -> dict[str, int]:
    """Return entry → how often it ran, on all hosts together."""
    found: dict[str, int] = {}
    for host in fleet.hosts.containers():
        for file in (LEDGER, KEPT):
            said = fleet.on(host, f'test ! -e {file} || python3 -c "{READ}" {file}', expect=None)
            for entry, attempts in json.loads(said.output or "{}").items() if said.code == 0 else ():
                found[entry] = found.get(entry, 0) + attempts
    return found


def judge(fleet: Fleet, stream: Stream, seconds: float = DRAIN) -> Verdict:
    """Wait until all has run that will, and count."""

    def ran() -> dict[str, int]:
        return {entry: times for entry, times in ledger(fleet).items() if entry.startswith(stream.prefix)}

    with contextlib.suppress(AssertionError):
        wait_until("every task ran", lambda: set(stream.sent) <= set(ran()), seconds)
    times = ran()
    return Verdict(
        sent=len(stream.sent),
        doubtful=len(stream.doubtful),
        lost=[entry for entry in stream.sent if entry not in times],
        twice=[entry for entry in times if times[entry] > 1],
    )


@contextlib.contextmanager
def streaming(fleet: Fleet, queue: str = "fast") -> Iterator[Stream]:
    """Send tasks while a block runs, through the tunnel that verify uses."""
    loaded = load(fleet.inventory).fleet
    with tunnel(loaded, fleet.inventory):
        stream = Stream(celery_client(loaded, loaded.celery_hosts()[0]), queue)
        stream.start()
        try:
            yield stream
        finally:
            stream.stop()
