"""Sane inventories raise no alarm: a finding in one of them is a false one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from settings.loader import load
from settings.resolved import resolve_all
from settings.secrets import passwords_yaml

REPOSITORY = Path(__file__).resolve().parents[2]
SANE = sorted((Path(__file__).parent / "sane").glob("*.yml"))


@pytest.fixture(autouse=True)
def _in_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


@pytest.mark.parametrize("inventory", SANE, ids=lambda path: path.stem)
def test_a_sane_inventory_has_no_finding(inventory: Path) -> None:
    loaded = load(inventory)
    assert loaded.findings == ()
    json.dumps(resolve_all(loaded.fleet))


def test_the_example_for_production_has_but_the_risk_that_it_accepts(tmp_path: Path) -> None:
    example = REPOSITORY / "inventories" / "production"
    for path in example.rglob("*.yml"):
        copy = tmp_path / path.relative_to(example)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    vault = tmp_path / "group_vars" / "all" / "vault.yml"
    vault.write_text(passwords_yaml())
    vault.chmod(0o600)
    assert [finding.rule for finding in load(tmp_path).findings if not finding.accepted] == []
