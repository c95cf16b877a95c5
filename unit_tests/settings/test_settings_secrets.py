"""Secrets: where they may not stand, and that nothing repeats them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from settings.loader import load
from settings.problem import InventoryRefused
from settings.resolved import resolve_all
from unit_tests.settings.fleets import PASSWORDS, fleet_of

VAULT = str(Path(sys.executable).with_name("ansible-vault"))
SECRET = "hunter2hunter2hunter2"
HOSTS = "all: {hosts: {one: }}\nredis: {hosts: {one: }}\n"


def inventory(folder: Path, text: str, mode: int) -> Path:
    """Write an inventory with a file of variables of a mode."""
    (folder / "hosts.yml").write_text(HOSTS)
    file = folder / "group_vars" / "all.yml"
    file.parent.mkdir()
    file.write_text(text)
    file.chmod(mode)
    return folder


def rules_broken(folder: Path) -> set[str]:
    """Return the rules of all findings; the inventories here break one or the other."""
    with pytest.raises(InventoryRefused) as caught:
        load(folder)
    assert SECRET not in str(caught.value)
    return {problem.rule for problem in caught.value.problems}


CLEAR = f"redis_auth: password\nredis_password: {SECRET}\n"
REFUSED_ANYHOW = "stack_root: /srv/stack\n"  # under systemd


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_literal_secret_in_a_readable_file_is_an_error(tmp_path: Path, mode: int) -> None:
    assert "literal-secret" in rules_broken(inventory(tmp_path, CLEAR, mode))


def test_a_literal_secret_in_a_committed_file_is_an_error(tmp_path: Path) -> None:
    folder = inventory(tmp_path, CLEAR, 0o600)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "add", "group_vars"], check=True)
    assert "literal-secret" in rules_broken(folder)


def test_a_literal_secret_in_a_private_file_is_none(tmp_path: Path) -> None:
    assert "literal-secret" not in rules_broken(inventory(tmp_path, CLEAR + REFUSED_ANYHOW, 0o600))


@pytest.mark.parametrize(
    ("line", "literal"),
    [
        ("redis_managed_url: rediss://192.0.2.1:6380/0", False),
        ("redis_managed_url: rediss://app:secret@192.0.2.1:6380/0", True),
        ("""redis_managed_url: "rediss://app:{{ 'x' | hash('md5') }}@192.0.2.1:6380/0" """, False),
        ("""redis_managed_url: "rediss://app:secret@{{ '192.0.2.1' }}:6380/0" """, True),
        ("""redis_password: "{{ 'x' | hash('sha256') }}" """, False),
        ("celery_secret_environment: {TOKEN: abcdefghijkl}", True),
        ("redis_acl_users: [{name: shop, role: producer, password: abcdefghijklmnop}]", True),
    ],
)
def test_only_what_stands_in_clear_is_a_literal(tmp_path: Path, line: str, literal: bool) -> None:
    assert ("literal-secret" in rules_broken(inventory(tmp_path, f"{line}\n{REFUSED_ANYHOW}", 0o644))) is literal


def test_a_secret_of_a_vault_is_masked_wherever_it_turns_up(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("the vault's own\n")
    folder = tmp_path / "inventory"
    folder.mkdir()
    inventory(folder, 'redis_hz: "{{ vaulted | to_datetime }}"\nredis_databases: "{{ vaulted }}"\n', 0o644)
    plain = folder / "group_vars" / "redis.yml"
    plain.write_text(f"vaulted: {SECRET}\n")
    encrypt = [VAULT, "encrypt", "--vault-password-file", str(password), str(plain)]
    subprocess.run(encrypt, check=True, capture_output=True)
    with pytest.raises(InventoryRefused) as caught:
        load(folder, vault_password_file=str(password))
    found = {problem.variable: problem for problem in caught.value.problems}
    assert found["redis_databases"].value == "********"
    assert "********" in found["redis_hz"].message
    assert SECRET not in str(caught.value)


def test_the_same_process_opens_one_vault_after_the_other(tmp_path: Path) -> None:
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        password = tmp_path / f"{name}.password"
        password.write_text(f"the password of the {name}\n")
        encrypt = [
            VAULT,
            "encrypt_string",
            "--vault-password-file",
            str(password),
            "--name",
            "redis_password",
        ]
        text = subprocess.run([*encrypt, f"{SECRET}-{name}"], check=True, capture_output=True, text=True).stdout
        inventory(folder, "redis_auth: password\n" + text, 0o644)
        fleet = load(folder, vault_password_file=str(password)).fleet
        opened = fleet.hosts["one"].redis.password
        assert opened is not None
        assert opened.get_secret_value() == f"{SECRET}-{name}"


def test_a_vault_that_another_password_locked_is_refused(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("right\n")
    wrong.write_text("wrong\n")
    folder = tmp_path / "inventory"
    folder.mkdir()
    file = inventory(folder, CLEAR, 0o644) / "group_vars" / "all.yml"
    encrypt = [VAULT, "encrypt", "--vault-password-file", str(right), str(file)]
    subprocess.run(encrypt, check=True, capture_output=True)
    for password in (str(wrong), str(tmp_path / "missing"), None):
        with pytest.raises(InventoryRefused) as caught:
            load(folder, vault_password_file=password)
        assert {problem.rule for problem in caught.value.problems} == {"vault"}
    assert load(folder, vault_password_file=str(right)).fleet


def test_a_fleet_shows_its_secrets_to_nobody_who_does_not_ask() -> None:
    url = f"rediss://app:{SECRET}@192.0.2.1:6380/0"
    fleet, problems = fleet_of({"redis_managed_url": url, "celery_secret_environment": {"TOKEN": SECRET}})
    assert fleet is not None, problems
    shown = repr(fleet) + str(fleet) + json.dumps(fleet.hosts["one"].redis.model_dump())
    assert SECRET not in shown
    assert PASSWORDS["worker"] not in shown
    assert SECRET in json.dumps(resolve_all(fleet))
