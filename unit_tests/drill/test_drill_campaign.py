"""What a drill comes to: each fault beside what it may do, and what no fault explains."""

from __future__ import annotations

import pytest

from drill.campaign import Outcome, Result, result
from drill.faults import FAULTS
from drill.history import Event
from drill.outcome import as_dict, closing, costs
from drill.schedule import Planned
from drill.targets.target import Failover
from unit_tests.drill.recording import REDIS, WORKER, Recording
from unit_tests.drill.runs import event, ran, sent

RATE = 10.0  # tasks per second
HEALED = 12.0


def hurt(name: str, number: int = 1, *, master: bool = True, at: float = 10.0) -> tuple[Planned, list[Event]]:
    """Return a fault as it was planned, and the events of its 2 s."""
    fault = FAULTS[name]
    id_, service = f"{name}-{number}", REDIS if fault.where == "redis" else WORKER
    begin = event(at, "fault", id_, name=name, service=service, master=master and fault.where == "redis")
    return Planned(number, at, fault, service, 2.0), [begin, event(at + 2, "healed", id_)]


def lost(count: int, at: float = 10.5) -> list[Event]:
    return [one for number in range(count) for one in sent(f"lost-{at}-{number}", at)]


def well(after: float = 0.1, healed: float = HEALED) -> list[Event]:
    """Return an entry submitted at the heal that had run so many seconds after it."""
    return [*sent(f"well-{healed}", healed + 0.01), *ran(f"well-{healed}", healed + after, healed + after)]


def judged(target: Recording, planned: Planned, history: list[Event]) -> Outcome:
    (outcome,) = result(target, [planned], history, rate=RATE).outcomes
    return outcome


@pytest.mark.parametrize(
    ("name", "transport", "may_lose"),
    [
        ("worker-kill", "redis", 1),
        ("worker-kill", "redis-plus", 0),
        ("redis-kill", "redis", 2),  # one for each of two workers
        ("redis-kill", "redis-plus", 0),
        ("child-kill", "redis", 0),
        ("power-cut", "redis", 13),  # what 1.1 s bring, on top
        ("power-cut", "redis-plus", 11),
    ],
)
def test_a_fault_may_lose_what_its_transport_and_disk_cannot_keep_and_no_more(
    name: str, transport: str, may_lose: int
) -> None:
    target = Recording(transport=transport)
    planned, events = hurt(name)
    assert judged(target, planned, [*events, *lost(may_lose), *well()]).kept
    outcome = judged(target, planned, [*events, *lost(may_lose + 1), *well()])
    assert outcome.complaints == (f"lost {may_lose + 1}, may lose {may_lose}",)


def test_a_failover_of_the_master_may_cost_time_and_what_no_replica_has_yet() -> None:
    target = Recording(transport="redis-plus", failover=Failover(seconds=8, window=1))
    planned, events = hurt("redis-kill")
    assert judged(target, planned, [*events, *lost(10), *well(17)]).kept
    outcome = judged(target, planned, [*events, *lost(11), *well(19)])
    assert outcome.complaints == ("lost 11, may lose 10", "consumed again after 19.0 s, may take 18 s")


def test_a_replica_that_is_hurt_costs_nothing() -> None:
    target = Recording(failover=Failover(seconds=8, window=1))
    planned, events = hurt("redis-kill", master=False)
    outcome = judged(target, planned, [*events, *lost(1), *well(11)])
    assert outcome.complaints == ("lost 1, may lose 0", "consumed again after 11.0 s, may take 10 s")


def test_a_worker_that_is_hurt_has_nothing_to_do_with_a_failover() -> None:
    planned, events = hurt("worker-cut")
    outcome = judged(Recording(failover=Failover(8, 1)), planned, [*events, *lost(2), *well(16)])
    assert outcome.complaints == ("lost 2, may lose 1", "consumed again after 16.0 s, may take 15 s")


def test_what_never_runs_again_is_a_broken_promise() -> None:
    planned, events = hurt("worker-term")
    assert judged(Recording(), planned, events).complaints == ("never consumed again",)


def test_a_kind_that_loses_more_than_one_each_is_a_broken_promise_though_each_fault_may_lose_more() -> None:
    planned = [hurt("redis-kill", number, at=10.0 * number) for number in (1, 2)]
    history = [one for _, events in planned for one in events]
    history += [*lost(2, 10.5), *lost(2, 20.5), *well(healed=12), *well(healed=22)]
    found = result(Recording(), [one for one, _ in planned], history, rate=RATE)
    assert all(outcome.kept for outcome in found.outcomes)
    assert found.complaints == ("redis-kill loses 2.0 tasks each, more than one",)
    assert not found.kept


@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        (sent("a", 200), "1 lost without a fault: a"),
        ([*sent("a", 200), *ran("a", 201, 202), *ran("a", 203, 204)], "1 twice without a fault: a"),
        (ran("a", 201, 202), "1 never submitted: a"),
    ],
)
def test_what_no_fault_explains_is_a_broken_promise(events: list[Event], complaint: str) -> None:
    planned, history = hurt("worker-term")
    found = result(Recording(), [planned], [*history, *well(), *events], rate=RATE)
    assert found.complaints == (complaint,)
    assert not found.kept
    assert closing(found).endswith("1 faults, 1 broken promise")


def test_faults_that_did_not_happen_any_more_are_not_judged() -> None:
    (planned, history), (other, _) = hurt("worker-term"), hurt("worker-kill", 2)
    found = result(Recording(), [planned, other], [*history, *well()], needs=("needs a person: w-1",), rate=RATE)
    assert [outcome.planned for outcome in found.outcomes] == [planned]
    assert found.complaints == ("needs a person: w-1",)


def several() -> Result:
    """Three kills, of which the first lost one and the third took longest, and a warm stop."""
    kills = [hurt("worker-kill", number, at=50.0 * number) for number in (1, 2, 3)]
    stop = hurt("worker-term", 4, at=200)
    history = [one for _, events in (*kills, stop) for one in events]
    history += lost(1, 50.5)
    for number, after in ((1, 1.0), (2, 2.0), (3, 6.0), (4, 0.5)):
        history += well(after, 50.0 * number + 2)
    return result(Recording(), [one for one, _ in (*kills, stop)], history, rate=RATE)


def test_what_a_kind_of_fault_costs_is_counted_together() -> None:
    kill, stop = costs(several())
    assert (kill.fault, kill.times, kill.lost, kill.twice) == ("worker-kill", 3, 1, 0)
    assert kill.median == pytest.approx(2.0)
    assert kill.worst == pytest.approx(6.0)
    assert (stop.fault, stop.times, stop.lost) == ("worker-term", 1, 0)


def test_the_json_tells_each_fault_with_its_bounds() -> None:
    told = as_dict(several())
    assert told["kept"] is True
    first = told["faults"][0]
    assert {name: first[name] for name in ("id", "service", "lost", "may_lose", "within", "complaints")} == {
        "id": "worker-kill-1",
        "service": WORKER,
        "lost": 1,
        "may_lose": 1,
        "within": 10.0,
        "complaints": (),
    }
