"""What Sentinels and replicas say of themselves is compared with the settings: no service is needed for that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import redis

from settings.loader import Loaded
from verify.checks import sentinel
from verify.checks.redis_state import replication
from verify.model import Status
from verify.server import Server
from verify.words import Words

GOOD = {
    "ip": "10.0.0.1",
    "port": "6379",
    "flags": "master",
    "num-slaves": "1",
    "num-other-sentinels": "2",
    "quorum": "2",
    "down-after-milliseconds": "4000",
    "failover-timeout": "15000",
    "parallel-syncs": "1",
}


def watcher(loaded: Loaded, words: Words, name: str = "sentinel@one", **state: str) -> Any:
    """Return a Sentinel of a fleet of two servers and three Sentinels that says this."""
    fleet = SimpleNamespace(members_of=lambda name: [1, 2], members=lambda group: [1, 2, 3])
    return SimpleNamespace(
        fleet=fleet,
        host=loaded.fleet.hosts["web1"],
        words=words,
        name=name,
        log="journalctl",
        state={**GOOD, **state},
        master=f"{state.get('ip', GOOD['ip'])}:6379",
        ask=lambda *words: "OK 3 usable Sentinels",
    )


def test_sentinels_that_agree(loaded: Loaded, words: Words) -> None:
    both = [watcher(loaded, words), watcher(loaded, words, "sentinel@two")]
    outcome = sentinel._agreed(both)
    assert (outcome.status, outcome.figure) == (Status.PASSED, "10.0.0.1:6379")


def test_two_masters_and_a_master_that_is_down_are_told(loaded: Loaded, words: Words) -> None:
    split = sentinel._agreed([watcher(loaded, words), watcher(loaded, words, "sentinel@two", ip="10.0.0.2")])
    assert split.status is Status.FAILED
    assert split.hint is not None
    assert "sentinel@two says 10.0.0.2:6379" in split.hint.found
    down = sentinel._agreed([watcher(loaded, words, flags="master,s_down")])
    assert (down.status, down.figure) == (Status.FAILED, "down")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({}, Status.PASSED),
        ({"num-slaves": "0"}, Status.FAILED),
        ({"num-other-sentinels": "1"}, Status.FAILED),
        ({"num-slaves": "2"}, Status.FAILED),  # one that is gone for good
    ],
)
def test_a_sentinel_knows_all_and_nobody_else(
    loaded: Loaded, words: Words, state: dict[str, str], status: Status
) -> None:
    assert sentinel._knows(watcher(loaded, words, **state)).status is status


def test_what_was_set_by_hand_is_told(loaded: Loaded, words: Words) -> None:
    assert sentinel._watches(watcher(loaded, words)).status is Status.PASSED
    outcome = sentinel._watches(watcher(loaded, words, quorum="1"))
    assert outcome.hint is not None
    assert "quorum is 1, and 2 is due" in outcome.hint.found


def test_no_quorum_is_told(loaded: Loaded, words: Words) -> None:
    alone = watcher(loaded, words)

    def refuse(*words: str) -> str:
        raise redis.ResponseError("NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the majority")

    assert sentinel._quorum(alone).status is Status.PASSED
    alone.ask = refuse
    assert sentinel._quorum(alone).status is Status.FAILED


REPLICA = {
    "role": "slave",
    "master_host": "10.0.0.1",
    "master_port": 6379,
    "master_link_status": "up",
    "master_last_io_seconds_ago": 1,
}


@pytest.mark.parametrize(
    ("info", "status"),
    [
        (REPLICA, Status.PASSED),
        ({**REPLICA, "master_link_status": "down"}, Status.FAILED),
        ({**REPLICA, "master_last_io_seconds_ago": 60}, Status.FAILED),
        ({"role": "master", "slave0": {"state": "online", "lag": 1}}, Status.PASSED),
        ({"role": "master", "slave0": {"state": "online", "lag": 60}}, Status.FAILED),
        ({"role": "master", "slave0": {"state": "wait_bgsave", "lag": 0}}, Status.FAILED),
        ({"role": "master"}, Status.FAILED),
    ],
)
def test_who_follows_whom(loaded: Loaded, words: Words, info: dict[str, Any], status: Status) -> None:
    host = loaded.fleet.hosts["web1"]
    fleet = SimpleNamespace(members_of=lambda name: [1, 2])
    found = SimpleNamespace(info=info, host=host, instance=host.instances[0], words=words, fleet=fleet)
    assert replication(cast("Server", found)).status is status
