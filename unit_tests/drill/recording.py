"""A target that writes down what is asked of it: our own interface, so nothing real is stood in for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from redis import Redis

from drill.history import Event
from drill.targets.target import Cut, Failover

REDIS, WORKER, OTHER = "redis-broker@r-1", "celery-worker-main-1@w-1", "celery-worker-main-1@w-2"


@dataclass
class Recording:
    """Names what was done, in order; `refuses` names what raises, and what."""

    transport: str = "redis"
    redises: list[str] = field(default_factory=lambda: [REDIS])
    workers: list[str] = field(default_factory=lambda: [WORKER, OTHER])
    abilities: frozenset[str] = frozenset({"network", "disk"})
    patience: float = 1.0
    failover: Failover | None = None
    master: str | None = REDIS
    refuses: dict[str, BaseException] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def _do(self, what: str, *words: str) -> None:
        self.done.append(" ".join((what, *words)))
        if what in self.refuses:
            raise self.refuses[what]

    def kill(self, name: str) -> None:
        self._do("kill", name)

    def kill_main(self, name: str) -> None:
        self._do("kill_main", name)

    def kill_children(self, name: str, count: int) -> None:
        self._do("kill_children", name, str(count))

    def stop(self, name: str, signal: str = "TERM") -> None:
        self._do("stop", name, signal)

    def start(self, name: str) -> None:
        self._do("start", name)

    def pause(self, name: str) -> None:
        self._do("pause", name)

    def resume(self, name: str) -> None:
        self._do("resume", name)

    def cut(self, host: str, how: Cut) -> None:
        self._do("cut", host, how)

    def throttle(self, host: str, rate: str) -> None:
        self._do("throttle", host, rate)

    def heal(self, host: str) -> None:
        self._do("heal", host)

    def fill_disk(self) -> None:
        self._do("fill_disk")

    def empty_disk(self) -> None:
        self._do("empty_disk")

    def cut_power(self, name: str) -> None:
        self._do("cut_power", name)

    def admin(self, name: str) -> Redis:
        raise AssertionError("no fault of these tests talks to Redis")

    def publish(self, entry: str) -> object:
        raise AssertionError("nothing is sent in these tests")

    def events(self) -> Iterable[Event]:
        return ()

    def mend(self) -> None:
        self._do("mend")

    def await_whole(self, seconds: float) -> None:
        self._do("await_whole")

    def await_workers(self, seconds: float) -> None:
        self._do("await_workers")
