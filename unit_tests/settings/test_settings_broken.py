"""Every broken inventory is refused: with the rule, the setting and the line at fault, and without a secret."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from settings.loader import load
from settings.problem import InventoryRefused, Severity
from unit_tests.settings.expectations import cases, expected, relative

REPOSITORY = Path(__file__).resolve().parents[2]
CASES = cases()
REFUSED = 2


@cache
def refused(inventory: Path) -> InventoryRefused:
    """Return why an inventory is refused; loaded once, however many tests ask."""
    with pytest.raises(InventoryRefused) as caught:
        load(inventory)
    return caught.value


@pytest.fixture(autouse=True)
def _in_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE", raising=False)


def test_there_are_enough_broken_inventories() -> None:
    assert len(CASES) >= 65


def test_the_inventory_that_all_are_made_of_is_good(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").symlink_to(REPOSITORY / "unit_tests/settings/broken/base.yml")
    assert load(tmp_path).findings == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_inventory_is_refused_at_the_line_at_fault(case: Path) -> None:
    problems = refused(case).problems
    found = {
        (problem.rule, problem.variable, relative(problem.where, case))
        for problem in problems
        if problem.severity is Severity.ERROR and not problem.accepted
    }
    assert found == expected(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_refusal_says_what_to_do_and_repeats_no_secret(case: Path) -> None:
    error = refused(case)
    for problem in error.problems:
        assert problem.message
        assert problem.fix
        assert "\n" not in problem.message + problem.fix + problem.value
        assert len(problem.value) <= 80
    for text in (str(error), repr(error), json.dumps([problem.as_dict() for problem in error.problems])):
        assert "hunter2" not in text
        assert "Traceback" not in text
        assert "pydantic" not in text
        assert "Input should" not in text


BY_COMMAND = [
    "choice-unquoted-no",
    "many-at-once",
    "secret-in-foreign-template",
    "size-unicode",
    "vault-file",
    "yaml-deep",
    "yaml-half-character",
    "yaml-nul",
]


@pytest.mark.parametrize("name", BY_COMMAND)
def test_the_command_ends_with_2_and_no_traceback(name: str, tmp_path: Path) -> None:
    case = REPOSITORY / "unit_tests/settings/broken" / name
    report = tmp_path / "validate.json"
    command = [sys.executable, "-m", "settings", "validate", str(case), "--json", str(report)]
    # the poorest terminal: no UTF-8
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"}
    )
    assert ended.returncode == REFUSED, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hunter2" not in ended.stdout + ended.stderr + report.read_text()
    assert {entry["rule"] for entry in json.loads(report.read_text())} == {rule for rule, _, _ in expected(case)}
    for rule, variable, place in expected(case):
        assert f"[{rule}]" in ended.stderr
        assert variable in ended.stderr
        assert place in ended.stderr
