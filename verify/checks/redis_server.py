"""Does each Redis answer, run as configured, keep its data safe and have room?"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from functools import partial

from settings.tls import as_written
from verify.checks.redis_state import (
    CLIENTS,
    DURABLE,
    MEMORY,
    POLICY,
    REPLICATION,
    clients,
    durable,
    memory,
    policy,
    replication,
)
from verify.compare import differences
from verify.model import Hint, Outcome, Promise, Row, Status, broken, kept
from verify.server import Reply, Server, ping, silence
from verify.words import plural, seconds

ANSWERS = Promise("redis.answers", "answers a PING", ("redis_port", "redis_bind"), "time of a PING")
CONFIG = Promise("redis.config", "CONFIG GET tells what the settings say", ("redis_*",), "settings compared")
STEADY = Promise("redis.steady", "answers to the end of the questions", ("redis_maxmemory",), "time of the last PING")
PROMISES = (ANSWERS, CONFIG, DURABLE, POLICY, MEMORY, CLIENTS, REPLICATION, STEADY)


def answers(server: Server) -> Row:
    """Judge whether a Redis is there; everything else about it needs this row."""
    return server.board.judge(ANSWERS, server.name, partial(_answers, server))


def check(server: Server, needs: Iterable[Row], explained_by: Iterable[Row]) -> Row:
    """Judge configuration and state of an instance; return the row of its memory, which explains refused writes."""
    each = partial(server.board.judge_each, needs=needs, explained_by=explained_by)
    judge = partial(server.board.judge, needs=needs, explained_by=explained_by)
    each(CONFIG, server.name, partial(_config, server))
    judge(DURABLE, server.name, partial(durable, server))
    judge(POLICY, server.name, partial(policy, server))
    judge(CLIENTS, server.name, partial(clients, server))
    if server.instance.replicaof or len(server.fleet.members_of(server.instance.name)) > 1:
        judge(REPLICATION, server.name, partial(replication, server))
    return judge(MEMORY, server.name, partial(memory, server))


class Steady:
    """Whether a Redis that answered at first still does: what explains that questions fail in the middle of a run."""

    def __init__(self, server: Server, answered: Row) -> None:
        """Remember whom to ask."""
        self._server, self._answered = server, answered
        self._lock = threading.Lock()
        self._broken: Row | None = None

    def known(self) -> list[Row]:
        """Return the failed row where a silence was told already; nothing is asked."""
        return [self._broken] if self._broken else []

    def rows(self) -> list[Row]:
        """Return the failed row where it went silent, else nothing. A silence is told once."""
        with self._lock:
            if self._broken is None and self._answered.status is Status.PASSED:
                reply = ping(self._server.client({}))
                if not reply.answered:
                    self._broken = self._server.board.judge(
                        STEADY, self._server.name, partial(_steady, self._server, reply)
                    )
            return [self._broken] if self._broken else []

    def end(self) -> None:
        """Judge it for the last time."""
        if not self.rows():
            judge = partial(self._server.board.judge, STEADY, self._server.name, needs=[self._answered])
            judge(lambda: _steady(self._server, ping(self._server.client({}))))


def _steady(server: Server, reply: Reply) -> Outcome:
    if reply.answered:
        return kept(seconds(reply.seconds))
    look = server.words.service(server.host, f"redis-{server.instance.name}")
    what = f"it answered at first, and then not any more: {silence(reply)}"
    return broken("silent", Hint(what, look, server.words.make("verify")))


def _answers(server: Server) -> Outcome:
    reply = ping(server.client({}))
    if reply.answered:
        return kept(seconds(reply.seconds))
    look = server.words.service(server.host, f"redis-{server.instance.name}")
    return broken(
        "silent",
        Hint(
            f"{server.address}: {silence(reply)}", look, server.words.make("deploy") + ", which starts what shall run"
        ),
    )


def _config(server: Server) -> Iterator[tuple[str, Outcome]]:
    """One row where all is as written, one per setting that is not."""
    overruled = frozenset({"replicaof"}) if server.fleet.watched(server.instance.name) else frozenset()
    due = as_written(server.host, server.instance)
    found, compared = differences(due, server.config, skip=overruled)
    if not found:
        yield server.name, kept(f"{plural(compared, 'setting')} as written")
    for difference in found:
        hint = Hint(
            f"{difference.option} is {difference.found!r}, and redis_{difference.field} says {difference.due!r}",
            "who changed it with CONFIG SET, or whether the deploy is older than the settings",
            server.words.make("plan") + ", then " + server.words.make("deploy"),
        )
        yield f"{difference.option} of {server.name}", broken(difference.found, hint)
