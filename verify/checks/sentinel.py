"""Do the Sentinels watch, agree, and know enough to promote a replica?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import redis

from settings.endpoints import host_address
from settings.fleet import Fleet, HostSettings
from verify.board import Board
from verify.clients import login, sentinel_client
from verify.model import Hint, Outcome, Promise, Row, Status, broken, kept, unchecked
from verify.server import Reply, ping, silence
from verify.words import Words, plural, seconds

ANSWERS = Promise("sentinel.answers", "lets its admin in", ("sentinel_port", "sentinel_bind"), "time of a PING")
ANONYMOUS = Promise("sentinel.anonymous", "refuses a client without a password", ("redis_auth",), "the refusal")
AGREED = Promise("sentinel.master", "all see the same master, and it is up", ("sentinel_master_name",), "the master")
KNOWS = Promise(
    "sentinel.knows",
    "knows every replica and every other Sentinel",
    ("redis_replicaof",),
    "replicas and Sentinels that it sees",
)
QUORUM = Promise("sentinel.quorum", "could promote a replica", ("sentinel_quorum",), "its answer to CKQUORUM")
WATCHES = Promise(
    "sentinel.settings",
    "watches as the settings say",
    ("sentinel_quorum", "sentinel_down_after_milliseconds", "sentinel_failover_timeout", "sentinel_parallel_syncs"),
    "settings compared",
)
PROMISES = (ANSWERS, ANONYMOUS, AGREED, KNOWS, QUORUM, WATCHES)

DOWN = ("s_down", "o_down", "disconnected")
OPTIONS = ("quorum", "down_after_milliseconds", "failover_timeout", "parallel_syncs")


@dataclass
class Watcher:
    """A Sentinel of a host, and the means to talk to it."""

    fleet: Fleet
    host: HostSettings
    words: Words

    @property
    def name(self) -> str:
        """How rows call it."""
        return f"sentinel@{self.host.name}"

    @property
    def address(self) -> str:
        """Where clients reach it."""
        return f"{host_address(self.host)}:{self.host.sentinel.port}"

    def client(self, credentials: dict[str, str]) -> redis.Redis:
        """Return a client with these credentials; nothing is sent yet."""
        return sentinel_client(self.fleet, self.host, credentials)

    def ask(self, *words: str) -> Any:
        """Return the answer to a command of SENTINEL."""
        client: Any = self.client(login(self.host, "admin"))
        try:
            return client.execute_command("SENTINEL", *words)
        finally:
            client.close()

    @cached_property
    def state(self) -> dict[str, Any]:
        """What it says of the master: SENTINEL MASTER, with the names as Redis writes them."""
        reply = self.ask("MASTER", self.host.sentinel.master_name)
        return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))

    @property
    def master(self) -> str:
        """Address of the master as it sees it."""
        return f"{self.state['ip']}:{self.state['port']}"

    @property
    def log(self) -> str:
        """The command that shows its log."""
        return self.words.service(self.host, "sentinel")


def check(board: Board, fleet: Fleet, words: Words) -> None:
    """Judge the Sentinels of a fleet; no row where there are none."""
    watchers = [Watcher(fleet, host, words) for host in fleet.members("sentinel")]
    rows: list[tuple[Watcher, Row]] = []
    for watcher in watchers:
        row = board.judge(ANSWERS, watcher.name, partial(_answers, watcher))
        rows.append((watcher, row))
        board.judge(ANONYMOUS, watcher.name, partial(_anonymous, watcher), needs=[row])
    alive = [watcher for watcher, row in rows if row.status is Status.PASSED]
    if alive:
        name = alive[0].host.sentinel.master_name
        board.judge(AGREED, name, partial(_agreed, alive))
    for watcher, row in rows:
        board.judge(KNOWS, watcher.name, partial(_knows, watcher), needs=[row])
        board.judge(QUORUM, watcher.name, partial(_quorum, watcher), needs=[row])
        board.judge(WATCHES, watcher.name, partial(_watches, watcher), needs=[row])


def _answers(watcher: Watcher) -> Outcome:
    reply: Reply = ping(watcher.client(login(watcher.host, "admin")))
    if reply.admitted:
        return kept(seconds(reply.seconds))
    found = reply.error if reply.answered else silence(reply)
    fix = watcher.words.make("deploy") + ", which starts what shall run"
    return broken("refused" if reply.answered else "silent", Hint(f"{watcher.address}: {found}", watcher.log, fix))


def _anonymous(watcher: Watcher) -> Outcome:
    if watcher.host.redis.auth == "none":
        return unchecked("redis_auth is none: everybody who reaches it may make it promote a replica")
    reply = ping(watcher.client({}))
    if reply.answered and not reply.admitted:
        return kept(reply.error)
    found = "a client without a password was let in" if reply.admitted else silence(reply)
    return broken("let in" if reply.admitted else "silent", Hint(found, watcher.log, watcher.words.make("deploy")))


def _agreed(watchers: list[Watcher]) -> Outcome:
    seen = {watcher.name: watcher.master for watcher in watchers}
    down = [watcher.name for watcher in watchers if set(str(watcher.state["flags"]).split(",")) & set(DOWN)]
    first = watchers[0]
    if len(set(seen.values())) == 1 and not down:
        return kept(first.master)
    said = "; ".join(f"{name} says {master}{' is down' if name in down else ''}" for name, master in seen.items())
    look = f"whether a failover is under way: {first.log}"
    return broken("down" if down else "several", Hint(said, look, first.words.make("verify") + ", once it is over"))


def _knows(watcher: Watcher) -> Outcome:
    name = watcher.host.sentinel.master_name
    due = (len(watcher.fleet.members_of(name)) - 1, len(watcher.fleet.members("sentinel")) - 1)
    found = (int(watcher.state["num-slaves"]), int(watcher.state["num-other-sentinels"]))
    figure = f"{plural(found[0], 'replica')}, {plural(found[1], 'other Sentinel')}"
    if found == due:
        return kept(figure)
    more = any(has > wanted for has, wanted in zip(found, due, strict=True))
    fix = (
        f"`SENTINEL RESET {name}` at {watcher.name} forgets hosts that are gone"
        if more
        else watcher.words.make("deploy")
    )
    return broken(figure, Hint(f"it sees {figure}; the settings have {due[0]} and {due[1]}", watcher.log, fix))


def _quorum(watcher: Watcher) -> Outcome:
    try:
        reply = watcher.ask("CKQUORUM", watcher.host.sentinel.master_name)
    except redis.ResponseError as error:
        hint = Hint(str(error), "which Sentinels are down: the rows above", watcher.words.make("deploy"))
        return broken("no quorum", hint)
    return kept(reply.decode() if isinstance(reply, bytes) else str(reply))


def _watches(watcher: Watcher) -> Outcome:
    due = {option.replace("_", "-"): str(getattr(watcher.host.sentinel, option)) for option in OPTIONS}
    wrong = [
        f"{option} is {watcher.state.get(option)}, and {value} is due"
        for option, value in due.items()
        if str(watcher.state.get(option)) != value
    ]
    if not wrong:
        return kept(f"{plural(len(due), 'setting')} as written")
    return broken(
        plural(len(wrong), "difference"), Hint("; ".join(wrong), "who said SENTINEL SET", watcher.words.make("deploy"))
    )
