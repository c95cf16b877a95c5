"""`python -m settings`: a newcomer's wrong guess ends in one sentence that says what to do, with exit code 2."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest
import yaml

from settings import __main__ as command
from settings.acl import BUILT_IN
from settings.secrets import ALPHABET, LENGTH

REPOSITORY = Path(__file__).resolve().parents[2]
BASE = REPOSITORY / "unit_tests/settings/broken/base.yml"
REFUSED = 2


@pytest.fixture
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a good inventory; the test stands in the repository, as `make` does."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE", raising=False)
    folder = tmp_path / "inventories" / "good"
    folder.mkdir(parents=True)
    (folder / "hosts.yml").symlink_to(BASE)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["settings", *map(str, arguments)])
    return command.main()


def test_a_good_inventory_is_valid(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "validate", good) == 0
    assert capsys.readouterr().out == f"{good} is valid: 1 host(s).\n"


@pytest.mark.parametrize("limit", ["one", "redis", "all"])
def test_a_host_or_group_that_is_there_may_be_named(good: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    assert run(monkeypatch, "validate", good, "--host", limit) == 0


def test_an_undefined_host_is_refused_with_the_nearest(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "validate", good, "--host", "ones") == REFUSED
    said = capsys.readouterr().err
    assert "host = ones" in said
    assert "fix: write one" in said


def test_a_misspelt_inventory_is_refused_with_the_nearest(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "validate", good.parent / "goood") == REFUSED
    assert "fix: write good" in capsys.readouterr().err


def test_an_inventory_of_another_name_is_told_which_there_are(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "validate", good.parent / "production") == REFUSED
    assert "fix: name one of: good" in capsys.readouterr().err


def test_an_inventory_where_there_are_none_is_told_to_be_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "validate", tmp_path / "no" / "such") == REFUSED
    assert "create it" in capsys.readouterr().err


def test_a_file_is_an_inventory_too(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "validate", BASE) == 0


def test_an_ini_file_is_an_inventory_too(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ini = good.parent / "hosts.ini"
    ini.write_text("[redis]\none redis_port=6380\n[celery]\none\n[all:vars]\nredis_auth=none\nansible_host=127.0.0.1\n")
    assert run(monkeypatch, "validate", ini) == 0


def test_a_script_is_an_inventory_too(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = good.parent / "hosts.sh"
    said = {"redis": {"hosts": ["one"], "vars": {"redis_auth": "none"}}, "_meta": {"hostvars": {}}}
    script.write_text(f"#!/bin/sh\necho '{json.dumps(said)}'\n")
    script.chmod(0o755)
    assert run(monkeypatch, "validate", script) == 0


def test_findings_are_written_as_json(good: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (good / "group_vars").mkdir()
    (good / "group_vars" / "all.yml").write_text("celery_task_acks_late: false\n")
    report = tmp_path / "build" / "validate.json"
    assert run(monkeypatch, "validate", good, "--json", report) == 0
    (finding,) = json.loads(report.read_text())
    assert finding["rule"] == "late-acks"
    assert finding["severity"] == "warning"
    assert finding["hosts"] == ["one"]
    assert finding["where"].endswith("group_vars/all.yml:1")


def test_problems_are_told_in_the_order_of_the_files(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (good / "group_vars").mkdir()
    lines = ["redis_hz: x", "redis_colour: red", "celery_stop_timeout: 5", "redis_appendfsync: no", "host_memory: 1 gb"]
    (good / "group_vars" / "all.yml").write_text("\n".join(lines))
    assert run(monkeypatch, "validate", good) == REFUSED
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error [")]
    # the stop timeout is a rule's: it is judged once all settings are well-formed
    assert [line.split("all.yml:")[1][0] for line in said] == ["1", "2", "4", "5"]


def test_a_problem_of_many_hosts_is_told_once(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (good / "more.yml").write_text("redis: {hosts: {two: , three: , four: , five: }}\n")
    (good / "group_vars").mkdir()
    (good / "group_vars" / "all.yml").write_text("redis_maxmemory: 512 MB\n")
    assert run(monkeypatch, "validate", good) == REFUSED
    said = capsys.readouterr().err
    assert said.count("redis_maxmemory") == 1
    assert "on: 5 hosts, five the first" in said


def test_drift_of_generated_files_is_told_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "generate", "--check") == 0
    monkeypatch.setattr("settings.generate.drifted", lambda: [Path("docs/rules.md")])
    assert run(monkeypatch, "generate", "--check") == 1
    assert capsys.readouterr().err == "docs/rules.md is not what settings/ generates: run `make generate`.\n"


def test_secrets_need_an_inventory_and_a_vault_password(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "secrets", good.parent / "nowhere") == REFUSED
    assert "There is no inventory" in capsys.readouterr().err
    assert run(monkeypatch, "secrets", good) == REFUSED
    assert "ANSIBLE_VAULT_PASSWORD_FILE" in capsys.readouterr().err
    assert not (good / "group_vars").exists()


def test_secrets_are_written_encrypted_private_and_once(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from ansible.constants import DEFAULT_VAULT_IDENTITY
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import VaultLib, get_file_vault_secret

    password = tmp_path / "password"
    password.write_text("a vault's password\n")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(password))
    assert run(monkeypatch, "secrets", good) == 0
    vault = good / "group_vars" / "all" / "vault.yml"
    assert vault.read_text().startswith("$ANSIBLE_VAULT")
    assert stat.S_IMODE(vault.stat().st_mode) == 0o600
    secret = get_file_vault_secret(filename=str(password), loader=DataLoader())
    secret.load()
    said = yaml.safe_load(VaultLib([(DEFAULT_VAULT_IDENTITY, secret)]).decrypt(vault.read_bytes()))
    assert set(said["redis_passwords"]) == set(BUILT_IN)
    passwords = [*said["redis_passwords"].values(), said["celery_flower_password"]]
    assert len(set(passwords)) == len(passwords)
    assert all(len(one) == LENGTH and set(one) <= set(ALPHABET) for one in passwords)
    capsys.readouterr()
    assert run(monkeypatch, "secrets", good) == REFUSED
    assert "is there already" in capsys.readouterr().err


def test_what_was_prepared_for_this_machine_is_valid_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    local = tmp_path / "local"
    (local / "group_vars" / "all").mkdir(parents=True)
    for name in ("hosts.yml", "group_vars/all/stack.yml"):
        (local / name).write_text((REPOSITORY / "inventories/local" / name).read_text())
    monkeypatch.chdir(REPOSITORY)
    assert run(monkeypatch, "prepare", local, "--root", tmp_path / "stack") == 0
    machine = local / "group_vars" / "all" / "machine.yml"
    text = machine.read_text()
    assert stat.S_IMODE(machine.stat().st_mode) == 0o600
    assert run(monkeypatch, "prepare", local, "--root", tmp_path / "stack") == 0
    assert machine.read_text() == text
    assert run(monkeypatch, "validate", local) == 0, capsys.readouterr().err
