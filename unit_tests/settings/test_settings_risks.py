"""Accepted risks: by id and with a reason, shown in every report, until their day has passed."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from settings.loader import Loaded, build
from settings.problem import InventoryRefused, report
from settings.rules import RULES, risks
from unit_tests.settings.fleets import raw_fleet

OPEN = {"redis_bind": ["10.0.0.1", "127.0.0.1"]}
REASON = "the brokers have a network of their own"


def judged(case: dict[str, Any]) -> Loaded:
    return build(*raw_fleet(case))


def accepting(risk: dict[str, Any]) -> dict[str, Any]:
    return {**OPEN, "accepted_risks": [{"id": "open-without-tls", "reason": REASON, **risk}]}


def test_an_error_that_nobody_accepted_refuses_the_inventory() -> None:
    with pytest.raises(InventoryRefused, match="open-without-tls"):
        judged(OPEN)


def test_an_accepted_error_passes_and_is_shown_with_its_reason() -> None:
    loaded = judged(accepting({}))
    (finding,) = loaded.findings
    assert finding.rule == "open-without-tls"
    assert finding.accepted == REASON
    assert finding.as_dict()["severity"] == "accepted"
    text = report(loaded.findings)
    assert "accepted risk [open-without-tls]" in text
    assert REASON in text
    assert "0 errors, 1 accepted" in text


def test_an_accepted_warning_is_no_warning() -> None:
    late = {"id": "late-acks", "reason": "tasks are not idempotent yet"}
    loaded = judged({"celery_task_acks_late": False, "accepted_risks": [late]})
    assert [finding.accepted for finding in loaded.findings] == ["tasks are not idempotent yet"]


@pytest.mark.parametrize(("days", "accepted"), [(-1, False), (0, True), (1, True)])
def test_a_risk_is_accepted_through_its_last_day(monkeypatch: pytest.MonkeyPatch, days: int, accepted: bool) -> None:
    today = datetime.date(2026, 11, 22)
    monkeypatch.setattr(risks, "today", lambda: today)
    case = accepting({"until": today + datetime.timedelta(days=days)})
    if accepted:
        (finding,) = judged(case).findings
        assert finding.accepted == f"{REASON} (until {today + datetime.timedelta(days=days)})"
        return
    with pytest.raises(InventoryRefused) as caught:
        judged(case)
    assert {problem.rule for problem in caught.value.problems} == {"open-without-tls", "risk-current"}


def test_a_misspelt_id_accepts_nothing_and_is_told_the_nearest() -> None:
    with pytest.raises(InventoryRefused) as caught:
        judged({**OPEN, "accepted_risks": [{"id": "open-without-tsl", "reason": REASON}]})
    found = {problem.rule: problem for problem in caught.value.problems}
    assert set(found) == {"open-without-tls", "risk-known"}
    assert found["risk-known"].fix == "write open-without-tls"


def test_what_could_not_work_cannot_be_accepted() -> None:
    with pytest.raises(InventoryRefused) as caught:
        judged({"redis_port": 0, "accepted_risks": [{"id": "some-port", "reason": REASON}]})
    assert {problem.rule for problem in caught.value.problems} == {"some-port", "risk-known"}
    assert not any(problem.accepted for problem in caught.value.problems)


def test_a_risk_is_accepted_for_the_hosts_that_say_so() -> None:
    risk = [{"id": "open-without-tls", "reason": REASON}]
    hosts = {
        "one": {"groups": ["redis"], "accepted_risks": risk},
        "two": {"groups": ["redis"], "address": "10.0.0.2"},
    }
    with pytest.raises(InventoryRefused) as caught:
        judged({**OPEN, "hosts": hosts})
    found = [problem for problem in caught.value.problems if problem.rule == "open-without-tls"]
    assert {problem.hosts: bool(problem.accepted) for problem in found} == {("one",): True, ("two",): False}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.acceptable], ids=lambda rule: rule.id)
def test_every_acceptable_rule_can_be_accepted(rule: Any) -> None:
    loaded = judged({"accepted_risks": [{"id": rule.id, "reason": REASON}]})
    assert loaded.findings == ()
