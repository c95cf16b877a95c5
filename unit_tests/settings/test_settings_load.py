"""Workloads and objectives that ship are such as an inventory may say, fit the inventories of the project, and end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.faults import FAULTS
from loadtests.schedule import schedule_of
from settings.fleet import Fleet
from settings.load_figures import FAULTS as KNOWN_FAULTS
from settings.load_figures import arriving, least, least_percentile, mean_rate
from settings.loads import SHIPPED, objectives, profiles, shipped
from settings.model.load import Load, LoadProfile, LoadTask
from settings.rules import findings
from settings.rules.load import unfit
from settings.yaml_files import YAML
from unit_tests.settings.fleets import fleet_of

REPOSITORY = Path(__file__).resolve().parents[2]
SYSTEMS = ("transcription", "matchbot", "wise", "trustcard", "recall")
LONGEST_SMOKE = 40
# As inventories/integration has them: the narrowest of the project's.
INTEGRATION: dict[str, Any] = {
    "celery_task_time_limit": 4,
    "celery_task_soft_time_limit": 3,
    "celery_visibility_timeout": 8,
    "celery_result_expires": 600,
}
NAMES = sorted(profile.name for profile in shipped().profiles)


@pytest.fixture(autouse=True)
def _in_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def fleet(**said: Any) -> Fleet:
    """Return a fleet that says so."""
    found, problems = fleet_of(said)
    assert found is not None, problems
    return found


def test_faults_are_those_of_drills() -> None:
    assert set(KNOWN_FAULTS) == set(FAULTS)
    assert len(KNOWN_FAULTS) == len(FAULTS)


def test_what_ships_breaks_no_rule_where_an_inventory_says_it() -> None:
    load = shipped().model_dump(mode="json")
    told = {rule.rule for rule in findings(fleet(load_profiles=load["profiles"], load_slos=load["slos"]))}
    assert {rule for rule in told if rule.startswith(("load-", "slo-"))} == set()


@pytest.mark.parametrize("name", NAMES)
def test_what_ships_can_be_sent_in_integration(name: str) -> None:
    assert unfit(fleet(**INTEGRATION), profiles(Load())[name]) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_workload_says_what_it_is_and_demands_that_nothing_is_lost(name: str) -> None:
    profile = profiles(Load())[name]
    assert profile.about
    assert {"lost", "error_rate"} <= {slo.measure for slo in objectives(Load(), name)}
    assert all(least(task) < INTEGRATION["celery_task_soft_time_limit"] for task in profile.tasks)
    assert all(task.queue is None for task in profile.tasks), "queues are left to the routes"


def test_the_systems_of_the_seeds_are_there_and_say_how_times_are_scaled() -> None:
    assert set(SYSTEMS) <= set(NAMES)
    for name in SYSTEMS:
        about = profiles(Load())[name].about
        assert "Scaled" in about or "Times as they are" in about


def test_smoke_has_a_little_of_everything_and_is_soon_over() -> None:
    smoke = profiles(Load())["smoke"]
    assert schedule_of(smoke).seconds + max(task.limit + task.countdown for task in smoke.tasks) <= LONGEST_SMOKE
    names = {task.task for task in smoke.tasks}
    assert {"probe.add", "probe.sleep", "probe.compute", "probe.file", "probe.long", "probe.retry"} <= names
    for has in ("fails", "countdown", "chain", "payload"):
        assert any(getattr(task, has) for task in smoke.tasks)
    assert {"throughput", "drained_within", "redis_memory_share", "worker_memory", "queue_wait_p95"} <= {
        slo.measure for slo in objectives(Load(), "smoke")
    }


def test_a_workload_that_does_not_fit_is_refused_with_a_sentence_that_says_what_to_write() -> None:
    smoke = profiles(Load())["smoke"]
    assert unfit(fleet(celery_result_expires=5), smoke)[0] == (
        "smoke: short is awaited for 10 s, and results are gone after 5 s: write at most 5."
    )


def test_production_is_not_put_under_load() -> None:
    allowed = fleet(load_allowed=True)

    def told(directory: str) -> list[str]:
        host = allowed.hosts["one"]
        there = replace(host, raw=replace(host.raw, directory=directory))
        return [problem.variable for problem in findings(Fleet({"one": there})) if problem.rule == "load-production"]

    assert told("/srv/inventories/production") == ["load_allowed"]
    assert told("/srv/inventories/staging") == []


def test_a_trace_is_read_before_the_run(tmp_path: Path) -> None:
    def told(content: str) -> list[str]:
        trace = tmp_path / "trace.txt"
        trace.write_text(content)
        own = {"name": "own", "tasks": [{"name": "a", "task": "probe.noop"}], "trace": str(trace)}
        return [one.message for one in findings(fleet(load_profiles=[own])) if one.rule == "load-arrivals"]

    assert told("0.5\n1\n1\n2.25\n") == []
    assert "not a list of ascending times" in told("2\n1\n")[0]
    assert "not a list of ascending times" in told("")[0]
    assert "holds what is no number" in told("one\n")[0]


def test_an_objective_that_names_its_workload_goes_before_one_for_all() -> None:
    own = [
        {"measure": "lost", "at_most": 3, "profile": "smoke"},
        {"measure": "lost", "at_most": 9},
    ]
    load = Load.model_validate({"slos": own})
    assert [slo.at_most for slo in objectives(load, "smoke") if slo.measure == "lost"] == [3]
    assert [slo.at_most for slo in objectives(load, "ramp") if slo.measure == "lost"] == [9]


RATES = st.just(0.0) | st.floats(0.01, 100)
PHASES = st.lists(st.tuples(st.floats(0.5, 50), RATES, st.none() | RATES), min_size=1, max_size=4).filter(
    lambda phases: any(rate or to for _, rate, to in phases)
)


@given(PHASES, st.floats(0, 60))
def test_arrivals_of_the_rules_are_those_of_the_generator(
    phases: list[tuple[float, float, float | None]], since: float
) -> None:
    said = [{"seconds": seconds, "rate": rate, "to": to} for seconds, rate, to in phases]
    profile = LoadProfile.model_validate({"name": "a", "tasks": [{"name": "a", "task": "a"}], "phases": said})
    schedule = schedule_of(profile)
    due = schedule.count(schedule.seconds) - schedule.count(since)
    assert arriving(profile, since) == pytest.approx(due, abs=1e-6, rel=1e-9)


def test_the_least_time_of_a_task_is_told_by_its_arguments() -> None:
    def takes(**said: Any) -> float:
        return least(LoadTask.model_validate({"name": "a", **said}))

    assert takes(task="probe.sleep", args=[2]) == 2
    assert takes(task="probe.sleep", kwargs={"seconds": 2}) == 2
    assert takes(task="probe.long", args=[["a", "b"], 0.5]) == 1
    assert takes(task="probe.long", kwargs={"stages": 4, "seconds": 0.5}) == 2
    assert takes(task="probe.work", payload=9, args=[1, 0.5]) == 1.5
    assert takes(task="probe.work", chain=[{"task": "probe.work", "args": [1]}, {"task": "probe.add"}]) == 1
    assert takes(task="probe.sleep", args=["soon"]) == takes(task="shop.order", args=[9]) == 0


def test_the_least_percentile_is_that_of_the_mix() -> None:
    def mix(share: float) -> list[LoadTask]:
        slow = {"name": "b", "task": "probe.sleep", "args": [2], "share": share}
        return [LoadTask.model_validate(one) for one in ({"name": "a", "task": "probe.noop", "share": 95}, slow)]

    assert least_percentile(mix(4), 0.95) == 0
    assert least_percentile(mix(5), 0.95) == 0
    assert least_percentile(mix(6), 0.95) == 2
    assert least_percentile([], 0.95) == 0


def test_the_file_is_yaml_as_inventories_are() -> None:
    assert SHIPPED.suffix in YAML
    rates = [mean_rate(profile) for profile in shipped().profiles]
    assert min(rates) > 0
