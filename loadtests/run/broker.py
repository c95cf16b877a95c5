"""The broker as seen from outside: what waits in its queues, what workers hold, and the memory of Redis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import redis

from settings.endpoints import broker_url
from settings.fleet import Fleet, HostSettings
from verify.clients import instance_client, login, options
from verify.keys import url_in_clear

SEPARATOR = "\x06\x16"  # kombu joins a queue and its priority by it (kombu 5.7, transport/redis.py)
USER = "admin"  # no other built-in user may ask for both INFO and the length of queues


@dataclass(frozen=True)
class Look:
    """What was seen at one moment."""

    backlog: dict[str, int]  # queue → messages that wait, of all priorities
    unacked: int
    memory: int  # bytes: used_memory
    maxmemory: int  # bytes; 0 is no limit

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing is held."""
        return not self.unacked and not any(self.backlog.values())


class Broker:
    """Looks at the Redis that holds the queues, whichever of several is the master. For one thread."""

    def __init__(self, fleet: Fleet, host: HostSettings) -> None:
        """Connect to nothing yet.

        Args:
            fleet: all hosts.
            host: of Celery, whose queues they are.
        """
        celery = host.celery
        steps = sorted(celery.priority_steps) if celery.transport == "redis" else []
        levels = ["", *(f"{SEPARATOR}{step}" for step in steps if step)]
        self._keys = {
            queue.name: [f"{celery.global_keyprefix}{queue.name}{level}" for level in levels] for queue in celery.queues
        }
        self._held = f"{celery.global_keyprefix}unacked"
        self._db = celery.broker_db
        self._clients = _clients(fleet, host)

    def look(self) -> Look:
        """Look, in one round trip.

        Raises:
            redis.RedisError: if no master answers, or it refuses.
        """
        error: redis.RedisError | None = None
        for _ in range(len(self._clients)):
            try:
                told = self._ask(self._clients[0])
            except redis.AuthenticationError:
                raise
            except redis.RedisError as failed:
                error = failed
            else:
                if told[1]["role"] == "master":
                    return self._read(told)
            self._clients.append(self._clients.pop(0))  # a replica, or away: ask the next one
        raise error or redis.ConnectionError("none of the broker's Redis is a master")

    def _ask(self, client: redis.Redis) -> list[Any]:
        pipeline: Any = client.pipeline(transaction=False)
        with pipeline as pipe:
            # the database is the connection's: the client has one only
            pipe.execute_command("SELECT", self._db)
            pipe.info("replication")
            pipe.info("memory")
            pipe.hlen(self._held)
            for keys in self._keys.values():
                for key in keys:
                    pipe.llen(key)
            return cast("list[Any]", pipe.execute())

    def _read(self, told: list[Any]) -> Look:
        _, _, memory, held, *lengths = told
        rest = iter(lengths)
        backlog = {queue: sum(next(rest) for _ in keys) for queue, keys in self._keys.items()}
        return Look(backlog, held, memory["used_memory"], memory.get("maxmemory", 0))

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            client.close()


def _clients(fleet: Fleet, host: HostSettings) -> list[redis.Redis]:
    if not host.redis.unmanaged:
        url = url_in_clear(broker_url(fleet, host, USER, operator=True))
        managed: redis.Redis = redis.Redis.from_url(url, decode_responses=True, **options())
        return [managed]
    members = fleet.members_of(host.celery.broker_instance)
    return [instance_client(owner, instance, login(owner, USER)) for owner, instance in members]
