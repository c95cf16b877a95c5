"""What the nemesis may do to a deployment, and how the drill talks to it; services are named `service@host`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from redis import Redis

from drill.history import Event
from settings.fleet import Fleet

Cut = Literal["drop", "reject"]  # silent, as an unplugged cable; or refused, as a closed port
MARGIN = 10.0  # seconds that a task which came back late may wait and run


def patience(fleet: Fleet) -> float:
    """Return the seconds after which a task that came back by the visibility timeout must have run.

    The restore sweep comes on top of the timeout, and waits for a lock that a killed worker has left (kombu 5.7, transport/redis.py).
    """
    celery = fleet.celery_hosts()[0].celery
    sweep = celery.unacked_restore_interval * celery.unacked_restore_throttle + celery.unacked_mutex_expire
    return celery.visibility_timeout + sweep + MARGIN


class Target(Protocol):
    """A deployment."""

    @property
    def transport(self) -> str:
        """How workers fetch: redis or redis-plus."""

    @property
    def redises(self) -> list[str]:
        """The Redis servers that may be hurt; the first is the master."""

    @property
    def workers(self) -> list[str]:
        """The worker processes."""

    @property
    def abilities(self) -> frozenset[str]:
        """What can be done here beyond all that follows: `disk`, to fill it and to cut its power."""

    @property
    def patience(self) -> float:
        """Seconds after which a task that came back by the visibility timeout must have run."""

    # -- to a service

    def kill(self, name: str) -> None:
        """End all its processes at once, by SIGKILL."""

    def kill_main(self, name: str) -> None:
        """End its main process by SIGKILL."""

    def kill_children(self, name: str, count: int) -> None:
        """End so many children of its main process by SIGKILL: those of a pool."""

    def stop(self, name: str, signal: str = "TERM") -> None:
        """End it by a signal, and wait until it has."""

    def start(self, name: str) -> None:
        """Start it, unless it runs."""

    def pause(self, name: str) -> None:
        """Freeze its processes."""

    def resume(self, name: str) -> None:
        """Let them go on."""

    # -- to a host

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

    def settle(self, seconds: float) -> None:
        """Heal everything, and wait until every worker answers.

        Raises:
            NotPossible: naming what does not come back by itself: it needs a person.
        """
