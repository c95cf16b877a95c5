"""A steady stream of tasks, counted outside the Redis under test: what was sent, and how often each ran."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from celery import Celery

from drill.history import History, Kind
from drill.sender import Sender
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


class Stream(Sender):
    """Entries of the ledger, sent to a queue; what became of each publish is in `history`."""

    def __init__(self, app: Celery, queue: str) -> None:
        """Nothing is sent yet."""
        self.app, self.queue, self.history = app, queue, History()
        super().__init__(self.publish, RATE, self.history)

    def publish(self, entry: str) -> None:
        """Send one."""
        self.app.send_task("probe.ledger", kwargs={"entry_id": entry}, queue=self.queue, ignore_result=True)

    @property
    def sent(self) -> list[str]:
        """What the broker acknowledged, in that order."""
        return [event.entry for event in self.history if event.kind is Kind.ACKNOWLEDGED]

    @property
    def doubtful(self) -> list[str]:
        """What raised when it was published: it may have arrived or not."""
        return [event.entry for event in self.history if event.kind is Kind.DOUBTFUL]

    def start(self) -> None:
        """Begin, and return once tasks are accepted."""
        super().start()
        wait_until("the first tasks are accepted", lambda: len(self.sent) > RATE, 30)


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

    sent = stream.sent
    with contextlib.suppress(AssertionError):
        wait_until("every task ran", lambda: set(sent) <= set(ran()), seconds)
    times = ran()
    return Verdict(
        sent=len(sent),
        doubtful=len(stream.doubtful),
        lost=[entry for entry in sent if entry not in times],
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
