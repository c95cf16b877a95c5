"""Rotating passwords in the file that holds them: both valid in between, comments kept, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from settings.localhost import MACHINE
from settings.rotation import MARK, PREVIOUS, VAULT, NotRotated, begin, end, read
from settings.secrets import encrypt

TEXT = """# of this machine
redis_passwords: # made by hand
  admin: AAAAAAAAAAAAAAAA
  worker: BBBBBBBBBBBBBBBB # the workers'
celery_flower_password: CCCCCCCCCCCCCCCC
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An inventory whose passwords stand in machine.yml."""
    (tmp_path / MACHINE).parent.mkdir(parents=True)
    (tmp_path / MACHINE).write_text(TEXT)
    return tmp_path


def test_new_passwords_beside_the_old(inventory: Path) -> None:
    """Every user of Redis has a new one, the old ones stay valid, all else stays as it was, comments included."""
    path, users = begin(inventory, [])
    text = path.read_text()
    values = yaml.safe_load(text)
    assert users == ["admin", "worker"]
    assert values[PREVIOUS] == {"admin": "A" * 16, "worker": "B" * 16}
    assert {len(word) for word in values["redis_passwords"].values()} == {32}
    assert values["celery_flower_password"] == "C" * 16
    for comment in ("# of this machine", "# made by hand", "# the workers'"):
        assert comment in text
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_end_forgets_the_old(inventory: Path) -> None:
    """The file is as before, with the new passwords."""
    begin(inventory, ["worker"])
    new = yaml.safe_load((inventory / MACHINE).read_text())["redis_passwords"]["worker"]
    assert end(inventory).read_text() == TEXT.replace("B" * 16, new)
    assert end(inventory).read_text() == TEXT.replace("B" * 16, new)


def test_a_rotation_that_was_cut_off_goes_on(inventory: Path) -> None:
    """A second begin makes no third password: hosts may have the first new one already."""
    begin(inventory, ["worker"])
    text = (inventory / MACHINE).read_text()
    assert begin(inventory, [])[1] == ["worker"]
    assert (inventory / MACHINE).read_text() == text


def test_a_vault_stays_encrypted(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """vault.yml goes before machine.yml; without its password nothing is written."""
    password = inventory / "password"
    password.write_text("of the vault\n")
    path = inventory / VAULT
    path.write_text(encrypt(TEXT, password))
    before = path.read_text()
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE", raising=False)
    with pytest.raises(NotRotated, match="ANSIBLE_VAULT_PASSWORD_FILE"):
        begin(inventory, [])
    other = inventory / "other"
    other.write_text("wrong\n")
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(other))
    with pytest.raises(NotRotated, match="does not open"):
        begin(inventory, [])
    assert path.read_text() == before
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(password))
    begin(inventory, [])
    assert path.read_text().startswith(MARK)
    assert yaml.safe_load(read(path))[PREVIOUS] == {"admin": "A" * 16, "worker": "B" * 16}


@pytest.mark.parametrize(
    ("text", "users", "told"),
    [
        (TEXT, ["nobody"], "nobody"),
        ("celery_flower_password: x\n", [], "any user"),
        ("redis_passwords: {admin: same, worker: same}\n", [], "more than once"),
    ],
)
def test_what_cannot_be_done_is_told(inventory: Path, text: str, users: list[str], told: str) -> None:
    """One sentence, and the file is as it was."""
    (inventory / MACHINE).write_text(text)
    with pytest.raises(NotRotated, match=told):
        begin(inventory, users)
    assert (inventory / MACHINE).read_text() == text


def test_passwords_from_elsewhere(tmp_path: Path) -> None:
    """Neither file: the steps by hand are told."""
    with pytest.raises(NotRotated, match=f"{PREVIOUS}, deploy"):
        begin(tmp_path, [])
