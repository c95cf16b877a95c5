"""One Redis instance under verification, and how a connection to it can fail."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import redis

from settings.endpoints import Endpoint
from settings.fleet import Fleet, HostSettings
from settings.model.redis import RedisInstance
from verify.board import Board
from verify.clients import TIMEOUT, instance_client, login
from verify.words import Words, seconds


@dataclass
class Server:
    """An instance of a host, and the means to talk to it."""

    fleet: Fleet
    host: HostSettings
    instance: RedisInstance
    board: Board
    words: Words

    @property
    def name(self) -> str:
        """How rows call it."""
        return f"{self.instance.name}@{self.host.name}"

    @property
    def address(self) -> str:
        """Where clients reach it."""
        endpoint = Endpoint.of(self.host, self.instance)
        return f"{endpoint.address}:{endpoint.port}"

    def client(self, credentials: dict[str, str]) -> redis.Redis:
        """Return a client with these credentials; nothing is sent yet."""
        return instance_client(self.host, self.instance, credentials)

    @cached_property
    def admin(self) -> redis.Redis:
        """The one connection that asks for configuration and state."""
        return self.client(login(self.host, "admin"))

    @cached_property
    def info(self) -> dict[str, Any]:
        """What INFO says."""
        found: dict[str, Any] = self.admin.info()
        return found

    def acl(self, *words: str) -> Any:
        """Return Redis' own answer to an ACL command: redis-py would rewrite it."""
        client: Any = self.admin
        return client.execute_command("ACL", *words)

    @cached_property
    def config(self) -> dict[str, str]:
        """What CONFIG GET * says."""
        client: Any = self.admin
        return dict(client.config_get("*"))

    def cli(self, command: str) -> str:
        """Return a redis-cli command for a person."""
        return self.words.cli(self.host, self.instance, command)


@dataclass(frozen=True)
class Reply:
    """What came of a PING."""

    answered: bool  # whether a Redis is there
    admitted: bool  # whether it let us in
    seconds: float
    error: str = ""


def ping(client: redis.Redis) -> Reply:
    """Connect, log in and PING; tell a refusal, which is an answer, from silence."""
    started = time.perf_counter()
    try:
        client.ping()
        best = min(_timed(client) for _ in range(3))
        return Reply(answered=True, admitted=True, seconds=best)
    except redis.exceptions.NoPermissionError:  # logged in, and not allowed to PING
        return Reply(answered=True, admitted=True, seconds=time.perf_counter() - started)
    except redis.exceptions.AuthenticationError as error:
        return Reply(answered=True, admitted=False, seconds=time.perf_counter() - started, error=str(error))
    except redis.RedisError as error:
        return Reply(
            answered=False, admitted=False, seconds=time.perf_counter() - started, error=" ".join(str(error).split())
        )
    finally:
        client.close()


def _timed(client: redis.Redis) -> float:
    started = time.perf_counter()
    client.ping()
    return time.perf_counter() - started


def silence(reply: Reply) -> str:
    """Say what a missing answer means."""
    text = reply.error.lower()
    if "timed out" in text or "timeout" in text:
        return f"it takes connections and does not answer within {seconds(TIMEOUT)}, or packets are dropped: it is stopped, overloaded, or behind a firewall"
    if "refused" in text:
        return "nothing listens there: it does not run, or binds to another address"
    if "loading" in text:
        return "it is still loading its data set"
    if "max number of clients" in text:
        return "it turns clients away: redis_maxclients is used up"
    if "protocol error" in text:
        return f"something that is no Redis answers there, or it wants TLS: {reply.error}"
    return reply.error
