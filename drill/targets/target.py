"""What the nemesis may do to a deployment, and how the drill talks to it; services are named `service@host`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from redis import Redis

from drill.history import Event
from settings.fleet import Fleet

Cut = Literal["drop", "reject"]  # silent, as an unplugged cable; or refused, as a closed port
PLUS_SWEEP = 60.0  # seconds
MARGIN = 10.0  # seconds that a task which came back late may wait and run
# Sentinel turns a master that returned into a replica, and closes its connections, once it has called itself master
# for four times SENTINEL_PUBLISH_PERIOD, 2 s (Redis 7.0, sentinel.c); until then workers may go on listening to it.
TURNED = 8.0  # seconds
TAKEN_OVER = 2.0  # seconds: votes, the promotion, and the workers' asking


@dataclass(frozen=True)
class Failover:
    """What it may cost that another Redis takes over from a master that is hurt.

    Attributes:
        seconds: until tasks are consumed again, from the heal, besides what the fault itself takes.
        window: seconds whose accepted tasks may be lost. A master that was cut off, and is one no longer, goes on taking tasks
            until it is turned into a replica, which throws them away: measured, 114 at 20 a second. Where
            redis_min_replicas_to_write keeps it from that, it takes what it may without an answer of its replicas.
    """

    seconds: float
    window: float


def failover(fleet: Fleet) -> Failover | None:
    """Return what a failover of the broker may cost, or None where nobody takes over."""
    host = fleet.celery_hosts()[0]
    if not fleet.watched(host.celery.broker_instance):
        return None
    alone = [
        one.min_replicas_max_lag
        for _, one in fleet.members_of(host.celery.broker_instance)
        if one.min_replicas_to_write
    ]
    window = float(max(alone)) if alone else TAKEN_OVER + TURNED
    return Failover(host.sentinel.down_after_milliseconds / 1000 + TAKEN_OVER + TURNED, window)


def patience(fleet: Fleet) -> float:
    """Return the seconds after which a task that came back by the visibility timeout must have run.

    The restore sweep comes on top of the timeout. On the stock transport it waits for a lock that a killed worker has left
    (kombu 5.7, transport/redis.py); on redis-plus it comes once a minute (celery-redis-plus 0.4.1).
    """
    celery = fleet.celery_hosts()[0].celery
    stock = celery.unacked_restore_interval * celery.unacked_restore_throttle + celery.unacked_mutex_expire
    sweep = PLUS_SWEEP if celery.transport == "redis-plus" else stock
    return celery.visibility_timeout + sweep + MARGIN


class Target(Protocol):
    """A deployment."""

    @property
    def transport(self) -> str:
        """How workers fetch: redis or redis-plus."""

    @property
    def redises(self) -> list[str]:
        """The Redis servers that may be hurt, always in the same order."""

    @property
    def master(self) -> str | None:
        """The one of them that takes writes at this moment; None while nobody knows."""

    @property
    def workers(self) -> list[str]:
        """The worker processes that run the tasks of `publish`."""

    @property
    def abilities(self) -> frozenset[str]:
        """What can be done here: `network`, to cut and slow it; `disk`, to fill it and to cut its power."""

    @property
    def failover(self) -> Failover | None:
        """What a failover may cost; None where nobody takes over from a master."""

    @property
    def patience(self) -> float:
        """Seconds after which a task that came back by the visibility timeout must have run."""

    # -- to a service

    def kill(self, name: str) -> None:
        """End all its processes at once, by SIGKILL; it stays away until it is started."""

    def kill_main(self, name: str) -> None:
        """End its main process by SIGKILL; whoever supervises it starts it again."""

    def kill_children(self, name: str, count: int) -> None:
        """End so many children of its main process by SIGKILL: those of a pool."""

    def stop(self, name: str, signal: str = "TERM") -> None:
        """End it by a signal, and wait until it has."""

    def start(self, name: str) -> None:
        """Start it, unless it runs or is about to."""

    def pause(self, name: str) -> None:
        """Freeze its processes."""

    def resume(self, name: str) -> None:
        """Let them go on."""

    # -- to a host, with the ability `network`

    def cut(self, host: str, how: Cut) -> None:
        """Let nothing through, to or from the other hosts."""

    def throttle(self, host: str, rate: str) -> None:
        """Slow down what it sends, to a rate as tc(8) writes it."""

    def heal(self, host: str) -> None:
        """Let everything through again."""

    # -- to a disk, with the ability `disk`

    def fill_disk(self) -> None:
        """Leave Redis no room."""

    def empty_disk(self) -> None:
        """Give the room back."""

    def cut_power(self, name: str) -> None:
        """End a Redis as a power cut does: what was not on the disk is gone. It does not run afterwards."""

    # -- talking to it

    def admin(self, name: str) -> Redis:
        """Return a client of a Redis, as its administrator."""

    def publish(self, entry: str) -> object:
        """Send one task of `probe.record`; raise where it was not accepted."""

    def events(self) -> Iterable[Event]:
        """Return what the workers have written down."""

    # -- being well

    def mend(self) -> None:
        """Undo whatever faults have left, and start what does not run; wait for nothing."""

    def await_whole(self, seconds: float) -> None:
        """Wait until every Redis answers and replicas follow: what is hurt then is hurt alone.

        Raises:
            NotPossible: naming what does not come back by itself: it needs a person.
        """

    def await_workers(self, seconds: float) -> None:
        """Wait until every worker answers.

        Raises:
            NotPossible: naming what does not come back by itself: it needs a person.
        """
