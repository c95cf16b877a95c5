"""Promise: an answer is the least that carries a rate within a p95, says what Redis needs, and what it is worth."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from engine.errors import NotPossible
from loadtests.scaling.__main__ import code
from loadtests.scaling.answer import MIB, Latency, Memory, bearable, workers_for
from loadtests.scaling.answer import memory as needed
from loadtests.scaling.drain import throughput
from loadtests.scaling.law import Law, fit
from loadtests.scaling.outcome import Answer, Check, Curve, Outcome, Throughput
from loadtests.scaling.plan import read
from loadtests.scaling.site import sized
from loadtests.scaling.tell import sentences, tell, write_page
from unit_tests.loadtests.test_report import Page
from unit_tests.settings.fleets import fleet_of

INVENTORY = "inventories/integration"
LAW = Law(100.0, 0.1, 0.01)


def latency(share: float, p95: float, workers: int = 4) -> Latency:
    return Latency(workers, share, 100.0, p95 / 2, p95)


def outcome(measured: float = 290.0, p95: float = 0.1) -> Outcome:
    points = [(size, LAW.at(size)) for size in (1, 2, 4, 6)] * 2
    drains = [Throughput(size, 400, rate) for size, rate in points]
    curve = Curve(4, drains, fit(points), [latency(0.5, 0.05), latency(0.7, 0.15)], 0.7, 1200.0, 600.0, MIB)
    found = Outcome("make scaling", "2026-11-25T12:00:00+00:00", "scaling", 2, [curve])
    found.answer = Answer(200.0, 0.2, 4, 4, [Memory("broker", 2 * MIB, 3 * MIB, MIB, 6 * MIB, 9 * MIB, 64 * MIB)])
    found.check = Check(5, LAW.at(5), (280.0, 310.0), [measured] * 3, p95, 0.15)
    return found


# -- latency


def test_the_share_that_a_p95_allows_lies_between_the_measurements_around_it() -> None:
    told = [latency(0.5, 0.05), latency(0.7, 0.1), latency(0.9, 0.3)]
    assert bearable(told, 0.2) == pytest.approx(0.8)
    assert bearable(told[::-1], 0.1) == pytest.approx(0.7)


def test_beyond_what_was_measured_nothing_is_allowed() -> None:
    assert bearable([latency(0.5, 0.05), latency(0.7, 0.1)], 10) == 0.7


def test_where_the_least_load_is_too_slow_no_share_is_allowed() -> None:
    assert bearable([latency(0.5, 0.3), latency(0.7, 0.4)], 0.2) is None
    assert bearable([latency(0.5, 0.1), latency(0.5, 0.3, workers=1)], 0.2) is None


def test_the_size_that_bears_least_counts() -> None:
    told = [latency(0.5, 0.1), latency(0.9, 0.1), latency(0.5, 0.1, workers=1), latency(0.9, 0.3, workers=1)]
    assert bearable(told, 0.2) == pytest.approx(0.7)


# -- workers


def test_it_is_the_least_number_that_carries_the_rate_with_the_share() -> None:
    found = workers_for(LAW, 0.7, 150, 4)
    assert 0.7 * LAW.at(found) >= 150 > 0.7 * LAW.at(found - 1)


@pytest.mark.parametrize(
    ("rate", "largest", "message"),
    [
        (400, 8, "no number of workers carries 400 tasks/s here: 357 are the most, of which the p95 allows 70%"),
        (200, 2, "200 tasks/s would need about 5 workers, and 2 were the most that were measured: measure larger"),
    ],
)
def test_what_cannot_be_answered_is_said_in_a_sentence(rate: float, largest: int, message: str) -> None:
    with pytest.raises(NotPossible, match=re.escape(message)):
        workers_for(LAW, 0.7, rate, largest)


# -- memory


def test_redis_holds_the_arrivals_of_an_outage_and_results_until_they_expire() -> None:
    of, problems = fleet_of({"celery_result_expires": 100, "redis_maxmemory": "64mb"})
    assert of is not None, problems
    host = of.celery_hosts()[0]
    (one,) = needed(of, host, rate=100, outage=60, message=1000, result=500, base=MIB)
    assert (one.waiting, one.kept) == (6_000_000, 5_000_000)
    assert one.maxmemory == math.ceil((11_000_000 + MIB) / MIB) * MIB
    assert one.host == 1.5 * one.maxmemory, "it forks"
    assert one.enough
    (more,) = needed(of, host, rate=1000, outage=60, message=1000, result=500, base=MIB)
    assert not more.enough


# -- measuring


def test_throughput_is_that_of_the_middle() -> None:
    steady = [number / 100 for number in range(1000)]
    assert throughput([*steady, *(30.0 + number for number in range(50))]) == pytest.approx(100, rel=0.01)


def test_only_one_group_gets_another_size() -> None:
    groups: list[dict[str, Any]] = [
        {"name": "main", "queues": ["a"], "autoscale": [4, 1]},
        {"name": "other", "queues": ["b"]},
    ]
    assert sized(groups, "main", 3, 4) == [
        {"name": "main", "queues": ["a"], "processes": 3, "concurrency": 4},
        {"name": "other", "queues": ["b"]},
    ]


# -- telling


def test_a_prediction_that_holds_is_told_with_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    found = outcome()
    assert code(found) == 0
    tell(found, "60")
    said = capsys.readouterr().out
    assert "for 200 tasks/s at p95 ≤ 0.2 s: 4 workers with 4 slots each, 6 MiB for broker" in said
    assert "holds: 5 workers, which were not measured before, should carry 312 tasks/s" in said
    assert "peak" in said


@pytest.mark.parametrize(("measured", "p95"), [(200.0, 0.1), (500.0, 0.1), (290.0, 0.3)])
def test_one_that_does_not_hold_fails(measured: float, p95: float) -> None:
    found = outcome(measured, p95)
    assert code(found) == 1
    assert any(sentence.startswith("FAILS") for sentence in sentences(found, "60"))


def test_measurements_that_contradict_each_other_are_told_as_such() -> None:
    found = outcome()
    assert found.curves[0].unsteady == []
    found.curves[0].drains.append(Throughput(6, 400, 150.0))
    assert any(
        sentence.startswith("not steady: 6 workers with 4 slots each carried 150 to 333 tasks/s")
        for sentence in sentences(found, "60")
    )


def test_where_there_is_no_answer_what_was_measured_stands_with_the_reason(tmp_path: Path) -> None:
    found = outcome()
    found.answer = found.check = None
    found.refusal = "no number of workers <carries> it"
    page = Page(write_page(found, tmp_path, "60").read_text(encoding="utf-8"))
    assert "no answer: no number of workers <carries> it" in page.text
    assert page.tags.count("svg") == 2
    assert found.as_dict()["refusal"]
    assert code(found) == 2


def test_the_json_is_json_where_there_is_no_peak(tmp_path: Path) -> None:
    found = outcome()
    points = [(size, 10.0 * size) for size in (1, 2, 4)] * 2
    drains = [Throughput(size, 50, rate) for size, rate in points]
    found.curves.append(Curve(1, drains, fit(points), [], None, 1, 1, 1))
    found.write(tmp_path / "scaling.json")
    told = json.loads((tmp_path / "scaling.json").read_text())
    assert told["curves"][1]["law"]["peak"]["value"] is None
    assert told["check"]["measured"] == [290.0] * 3
    assert told["holds"] is True


def test_the_page_shows_curve_and_latency_and_loads_nothing(tmp_path: Path) -> None:
    page = Page(write_page(outcome(), tmp_path, "60").read_text(encoding="utf-8"))
    assert page.tags.count("svg") == 2
    assert page.loads == []
    assert "4 slots each: the law" in page.text
    assert "make scaling" in page.text


# -- asking


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inventories/staging"], "ENV=staging: a sweep starts and ends worker processes"),
        ([INVENTORY, "--workers", "1,2"], "WORKERS=1,2: the law has 3 parameters: say 3 sizes at least."),
        ([INVENTORY, "--workers", "1,x,3"], "WORKERS=1,x,3: x is no whole number from 1 to 64."),
        ([INVENTORY, "--workers", "1,2,65"], "WORKERS=1,2,65: 65 is no whole number from 1 to 64."),
        ([INVENTORY, "--concurrency", ","], "CONCURRENCY names no number: say some, as 1,2,4."),
        ([INVENTORY, "--rate", "many"], "RATE=many is no number."),
        ([INVENTORY, "--rate", "nan"], "RATE=nan: must be above 0."),
        ([INVENTORY, "--p95", "0"], "P95=0: must be above 0."),
        ([INVENTORY, "--outage", "-1"], "OUTAGE=-1: must be 0 or more."),
        ([INVENTORY, "--group", "mian"], "GROUP=mian is not in celery_workers: choose of main."),
        ([INVENTORY, "--set", "redis_maxmemory"], "SET=redis_maxmemory: write NAME=VALUE"),
        ([INVENTORY, "--set", "celery_workers=[]"], "of another setting than celery_workers"),
        ([INVENTORY, "--profile", "none"], "PROFILE=none is not known: choose of "),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_sentence(words: list[str], message: str) -> None:
    with pytest.raises(NotPossible, match=re.escape(message)):
        read(words)


def test_the_command_does_the_same_again() -> None:
    plan = read([INVENTORY, "--workers", "4,1,2", "--rate", "200"])
    assert plan.sizes == (1, 2, 4)
    assert plan.command == (
        "make scaling ENV=integration WORKERS=1,2,4 CONCURRENCY=4 PROFILE=scaling GROUP=main RATE=200 P95=0.2 OUTAGE=60 "
        "ROUNDS=2 SECONDS=4 TOLERANCE=0.15 SEED=1"
    )
