"""Every rule fires where it is broken, points at the setting at fault, and is quiet where it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.problem import Severity
from settings.rules import BY_ID, RULES, findings
from settings.rules.rule import Rule
from unit_tests.settings import test_settings_load, test_settings_secrets, test_settings_tls
from unit_tests.settings.fleets import fleet_of

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / "rule_cases"
CASES: dict[str, dict[str, Any]] = {
    rule: case for path in sorted(FOLDER.glob("*.yml")) for rule, case in yaml.safe_load(path.read_text()).items()
}


def listed(kind: str) -> list[Any]:
    """Return a parameter per case: the rule and what the inventory says."""
    return [
        pytest.param(rule, case, id=f"{rule}-{number}")
        for rule, cases in CASES.items()
        for number, case in enumerate(cases.get(kind, []), start=1)
    ]


@pytest.fixture(autouse=True)
def _in_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def found(case: dict[str, Any]) -> list[tuple[str, str]]:
    """Return rule and variable of every finding."""
    fleet, problems = fleet_of(case)
    assert fleet is not None, problems
    assert not problems
    return [(problem.rule, problem.variable) for problem in findings(fleet)]


def test_the_base_of_all_cases_breaks_no_rule() -> None:
    assert found({}) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_cases_in_which_it_fires_and_in_which_it_does_not(rule: Rule) -> None:
    cases = CASES.get(rule.id, {})
    for name in cases.get("tested_by", []):
        assert any(
            callable(getattr(module, name, None))
            for module in (test_settings_load, test_settings_secrets, test_settings_tls)
        )
    assert "tested_by" in cases or (cases.get("fires") and cases.get("quiet")), "add cases to rule_cases/"


def test_every_case_is_of_a_rule() -> None:
    assert set(CASES) <= set(BY_ID)


@pytest.mark.parametrize(("rule", "case"), listed("fires"))
def test_a_rule_fires_at_the_setting_that_breaks_it(rule: str, case: dict[str, Any]) -> None:
    assert (rule, case["at"]) in found(case)


@pytest.mark.parametrize(("rule", "case"), listed("quiet"))
def test_a_rule_is_quiet_where_it_is_kept(rule: str, case: dict[str, Any]) -> None:
    assert rule not in [name for name, _ in found(case)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_why_whence_and_what_to_do(rule: Rule) -> None:
    assert rule.id == rule.id.lower().strip()
    assert rule.says.endswith(".")
    assert all((rule.why, rule.source, rule.fix))
    assert not rule.fix.endswith(".")
    assert rule.severity is Severity.ERROR or rule.acceptable, (
        "a warning that cannot be accepted would be shown for ever"
    )


def test_rules_have_names_of_their_own() -> None:
    assert len(BY_ID) == len(RULES) >= 25
