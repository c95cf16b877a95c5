"""Faults happen in their order, one at a time, and nothing stays hurt: whatever goes wrong in between."""

from __future__ import annotations

import time
from functools import partial

import pytest

from drill.faults import FAULTS
from drill.history import History
from drill.nemesis import haunt, inflict
from drill.schedule import Planned
from engine.errors import NotPossible
from unit_tests.drill.recording import REDIS, WORKER, Recording

# These speak to Redis itself: integration_tests/ lets them happen.
ASK = {"redis-connections", "redis-memory", "redis-writes", "redis-rewrite-kill"}


def planned(name: str, lasts: float = 0.0, number: int = 1) -> Planned:
    fault = FAULTS[name]
    return Planned(number, 0.0, fault, REDIS if fault.where == "redis" else WORKER, lasts)


def told(history: History) -> list[tuple[str, str]]:
    return [(event.kind.value, event.entry) for event in history]


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - ASK))
def test_what_a_fault_takes_away_its_heal_gives_back(name: str) -> None:
    """Every kill without a supervisor and every stop has its start, every pause its resume, every cut its heal."""
    target = Recording()
    inflict(target, planned(name), History(), print)
    back = {"kill": "start", "stop": "start", "cut_power": "start", "pause": "resume", "cut": "heal"}
    back |= {"throttle": "heal", "fill_disk": "empty_disk"}
    words = [done.split() for done in target.done]
    taken = [(back[word], *rest[:1]) for word, *rest in words if word in back]
    given = [(word, *rest[:1]) for word, *rest in words]
    assert words
    assert all(given.count(what) >= taken.count(what) for what in taken), target.done
    assert "mend" not in target.done


def test_faults_happen_in_order_each_once_the_target_has_recovered() -> None:
    target, history = Recording(), History()
    ready = partial(target.await_whole, 1)
    haunt(target, [planned("worker-pause"), planned("redis-restart", number=2)], history, ready, print)
    assert target.done == [
        *("await_whole", f"pause {WORKER}", f"resume {WORKER}"),
        *("await_whole", f"stop {REDIS} TERM", f"start {REDIS}"),
    ]
    assert told(history) == [
        ("fault", "worker-pause-1"),
        ("healed", "worker-pause-1"),
        ("fault", "redis-restart-2"),
        ("healed", "redis-restart-2"),
    ]


@pytest.mark.parametrize(("master", "said"), [(REDIS, True), ("redis-broker@r-2", False), (None, False)])
def test_it_is_written_down_whether_the_master_was_hurt(master: str | None, said: bool) -> None:
    history, lines = History(), list[str]()
    inflict(Recording(master=master), planned("redis-restart"), history, lines.append)
    assert next(iter(history)).detail["master"] is said
    assert lines[0].endswith(f"[{REDIS}, the master]" if said else f"[{REDIS}]")


def test_a_fault_whose_begin_fails_half_way_is_mended() -> None:
    target, history = Recording(refuses={"stop": NotPossible("it did not end")}), History()
    with pytest.raises(NotPossible, match="it did not end"):
        inflict(target, planned("worker-quit"), history, print)
    assert target.done == [f"stop {WORKER} QUIT", "mend"]
    assert told(history) == [("fault", "worker-quit-1")]


def test_ctrl_c_in_the_middle_heals_what_is_hurt(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    target = Recording()
    monkeypatch.setattr(time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        inflict(target, planned("redis-cut", lasts=5), History(), print)
    assert target.done == ["cut r-1 drop", "heal r-1", "mend"]


@pytest.mark.parametrize("error", [NotPossible("no way there"), KeyboardInterrupt()])
def test_a_heal_that_fails_or_is_interrupted_is_mended(error: BaseException) -> None:
    target = Recording(refuses={"heal": error})
    with pytest.raises(type(error)):
        inflict(target, planned("worker-cut"), History(), print)
    assert target.done == ["cut w-1 drop", "heal w-1", "mend"]


def test_where_the_target_does_not_recover_no_further_fault_happens() -> None:
    target = Recording(refuses={"await_whole": NotPossible("no master")})
    with pytest.raises(NotPossible, match="no master"):
        haunt(target, [planned("redis-kill")], History(), partial(target.await_whole, 1), print)
    assert target.done == ["await_whole"]
