"""`celery_profile` gives defaults and nothing else: what the inventory says wins, and a finding names what was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from settings.bundles import BUNDLES
from settings.fleet import Fleet, HostSettings
from settings.generate.bundles_doc import bundles_doc
from settings.generate.human import flow
from settings.model.celery import Celery, Worker
from settings.problem import Problem
from settings.rules import findings
from unit_tests.settings.fleets import fleet_of

REPOSITORY = Path(__file__).resolve().parents[2]
NO_LIMITS = {"celery_task_time_limit": None, "celery_task_soft_time_limit": None}
GROUP: dict[str, Any] = {"name": "default", "queues": ["celery"]}
FAST = ("throughput", "latency")
# What keeps tasks and answers: no bundle may give it up.
SAFETY = (
    *("task_acks_late", "task_reject_on_worker_lost", "task_retry_on_worker_lost", "task_ignore_result"),
    *("task_acks_on_failure", "task_acks_on_timeout", "result_expires", "worker_enable_remote_control"),
)


@pytest.fixture(autouse=True)
def _in_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def fleet(**case: Any) -> Fleet:
    found, problems = fleet_of(case)
    assert found is not None, problems
    return found


def host(**case: Any) -> HostSettings:
    return fleet(**case).hosts["one"]


def group(**case: Any) -> Worker:
    return host(**case).celery.workers[0]


def found(**case: Any) -> list[Problem]:
    return list(findings(fleet(**case)))


def test_the_model_and_the_bundles_name_the_same_profiles() -> None:
    assert set(Celery.model_json_schema()["properties"]["profile"]["enum"]) == set(BUNDLES)


def test_safe_is_the_default_and_gives_nothing() -> None:
    assert host().celery == Celery()
    assert host(celery_profile="safe").celery.model_dump() == Celery().model_dump()
    assert host().given.values == {}


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_holds_what_is_not_the_default_anyway_and_the_model_takes(name: str) -> None:
    bundle = BUNDLES[name]
    assert {key: one.value for key, one in bundle.settings.items() if getattr(Celery(), key) == one.value} == {}
    Celery.model_validate({key: one.value for key, one in bundle.settings.items()})
    for values in (bundle.shape, bundle.unlimited):
        assert all(getattr(Worker(**GROUP), key) != one.value for key, one in values.items())
        Worker.model_validate({**GROUP, **{key: one.value for key, one in values.items()}})


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_gives_up_no_safety(name: str) -> None:
    assert set(BUNDLES[name].settings).isdisjoint(SAFETY)
    if name in FAST:
        assert host(celery_profile=name).celery.task_time_limit == Celery().task_time_limit


@pytest.mark.parametrize("name", BUNDLES)
@pytest.mark.parametrize("limits", [{}, NO_LIMITS], ids=["limits", "no-limits"])
def test_a_profile_alone_breaks_no_rule_that_safe_keeps(name: str, limits: dict[str, Any]) -> None:
    said = {} if name == "long-running" else limits
    safe = {problem.rule for problem in found(**said)}
    assert {problem.rule for problem in found(celery_profile=name, **said)} <= safe


@pytest.mark.parametrize("name", [name for name in BUNDLES if name != "safe"])
def test_what_the_inventory_says_wins_value_by_value(name: str) -> None:
    for key in BUNDLES[name].settings:
        said = getattr(Celery(), key)
        celery = host(celery_profile=name, **{f"celery_{key}": said}).celery
        assert getattr(celery, key) == said
        others = {other: one.value for other, one in BUNDLES[name].settings.items() if other != key}
        assert {other: getattr(celery, other) for other in others} == others


def test_nothing_said_to_a_limit_is_said_too() -> None:
    assert host(celery_profile="long-running", celery_task_time_limit=None).celery.task_time_limit is None


@pytest.mark.parametrize("name", FAST)
def test_a_group_without_limits_is_solo_and_one_with_limits_is_prefork(name: str) -> None:
    assert group(celery_profile=name).pool == "prefork"
    assert group(celery_profile=name, **NO_LIMITS).pool == "solo"
    unlimited = [{**GROUP, "time_limit": 0, "soft_time_limit": 0}, {**GROUP, "name": "other"}]
    pools = [one.pool for one in host(celery_profile=name, celery_workers=unlimited).celery.workers]
    assert pools == ["solo", "prefork"]


@pytest.mark.parametrize("key", ["max_tasks_per_child", "max_memory_per_child"])
def test_a_limit_of_children_keeps_the_children(key: str) -> None:
    said = {**GROUP, key: 64 * 1024**2}
    assert group(celery_profile="throughput", celery_workers=[said], **NO_LIMITS).pool == "prefork"


@pytest.mark.parametrize(
    ("said", "shape"),
    [
        ({"concurrency": 4}, ("prefork", 4, 1)),
        ({"autoscale": [4, 1]}, ("prefork", 2, 1)),
        ({"pool": "threads"}, ("threads", 2, 1)),
        ({"processes": 8}, ("solo", 1, 8)),
        ({"pool": "prefork"}, ("prefork", 1, 2)),
    ],
    ids=str,
)
def test_a_group_that_says_its_size_keeps_it(said: dict[str, Any], shape: tuple[str, int, int]) -> None:
    one = group(celery_profile="throughput", celery_workers=[{**GROUP, **said}], **NO_LIMITS)
    assert (one.pool, one.concurrency, one.processes) == shape


def test_a_finding_names_the_value_that_the_profile_gave() -> None:
    (problem,) = found(celery_profile="long-running", celery_stop_timeout=360)
    assert problem.rule == "stop-exceeds-limit"
    assert problem.message.endswith("; celery_profile: long-running gives celery_task_time_limit: 10800")


def test_a_finding_of_another_host_names_that_host() -> None:
    hosts = {
        "one": {"groups": ["redis", "celery", "beat"]},
        "two": {"groups": ["celery"], "address": "10.0.0.2", "celery_profile": "long-running"},
    }
    agrees = [problem for problem in found(redis_bind=["10.0.0.1"], hosts=hosts) if problem.rule == "visibility-agrees"]
    assert [problem.message.split("; ")[1] for problem in agrees] == [
        "celery_profile: long-running gives celery_visibility_timeout: 14400"
    ]


def test_a_finding_in_a_group_names_what_the_group_was_given() -> None:
    said = {**GROUP, "concurrency": 4, "time_limit": 600}
    (problem,) = found(celery_profile="long-running", celery_workers=[said])
    assert problem.rule == "soft-below-hard"
    assert "celery_profile: long-running gives celery_task_soft_time_limit: 10200" in problem.message


def test_a_finding_that_would_be_there_anyway_does_not_blame_the_profile() -> None:
    (problem,) = found(celery_profile="throughput", celery_stop_timeout=300)
    assert problem.rule == "stop-exceeds-limit"
    assert "celery_profile" not in problem.message


def test_a_value_of_a_bundle_is_found_where_the_profile_is_chosen(tmp_path: Path) -> None:
    # the time limit stands nowhere: the line of the profile is what one would change
    from settings.loader import load
    from settings.problem import InventoryRefused

    base = (REPOSITORY / "unit_tests/settings/broken/base.yml").read_text()
    (tmp_path / "hosts.yml").write_text(base)
    (tmp_path / "group_vars").mkdir()
    file = tmp_path / "group_vars" / "all.yml"
    file.write_text("celery_profile: long-running\ncelery_longest_eta: 5000\n")
    with pytest.raises(InventoryRefused) as refused:
        load(tmp_path)
    (problem,) = refused.value.problems
    assert problem.rule == "visibility-exceeds-run"
    assert problem.where.endswith("all.yml:1")
    assert "celery_profile: long-running gives celery_task_time_limit: 10800" in problem.message


def test_every_value_and_its_reason_is_documented() -> None:
    text = bundles_doc()
    assert text in (REPOSITORY / "docs/settings.md").read_text()
    for bundle in BUNDLES.values():
        assert bundle.says in text
        for values in (bundle.settings, bundle.shape, bundle.unlimited):
            for key, one in values.items():
                (row, *_) = [line for line in text.splitlines() if f"{key}`" in line and f"`{flow(one.value)}`" in line]
                assert one.why in row
