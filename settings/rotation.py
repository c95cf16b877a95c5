"""`make rotate`: new passwords for the users of Redis, with both valid in between.

The file that holds `redis_passwords` is changed as text, so that its comments stay: every old password is replaced, and the
old ones are listed in a block of their own at the end.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import yaml

from settings.localhost import MACHINE
from settings.secrets import encrypt, new_password, write_private

VAULT = Path("group_vars/all/vault.yml")
MARK = "$ANSIBLE_VAULT"
PREVIOUS = "redis_previous_passwords"
BLOCK = re.compile(rf"(?m)^{PREVIOUS}:.*\n(?:^(?:[ \t].*)?\n)*")


class NotRotated(Exception):  # noqa: N818 - it says what is the matter
    """The passwords cannot be changed here; the message says what to do, and nothing was written."""


def secrets_file(inventory: Path) -> Path:
    """Return the file of an inventory that holds its passwords.

    Raises:
        NotRotated: if there is none.
    """
    for name in (VAULT, MACHINE):
        if (inventory / name).exists():
            return inventory / name
    raise NotRotated(
        f"{inventory} has neither {VAULT} nor {MACHINE.name}: where its passwords come from elsewhere, put the new ones there "
        f"as redis_passwords and the old ones as {PREVIOUS}, deploy, take the old ones away, and deploy again."
    )


def _password_file() -> Path:
    path = Path(os.environ.get("ANSIBLE_VAULT_PASSWORD_FILE", ""))
    if not path.is_file():
        raise NotRotated("Name the file that holds the vault's password in ANSIBLE_VAULT_PASSWORD_FILE.")
    return path


def read(path: Path) -> str:
    """Return the text of a file, decrypted where it is a vault.

    Raises:
        NotRotated: if the vault does not open.
    """
    text = path.read_text(encoding="utf-8")
    if not text.startswith(MARK):
        return text
    from settings.secrets import decrypt

    try:
        return decrypt(text, _password_file())
    except ValueError as error:
        raise NotRotated(f"{path} does not open with the password in ANSIBLE_VAULT_PASSWORD_FILE.") from error


def write(path: Path, text: str) -> None:
    """Write the text back, whole or not at all, encrypted where it was."""
    vault = path.read_text(encoding="utf-8").startswith(MARK)
    write_private(path, encrypt(text, _password_file()) if vault else text)


def begin(inventory: Path, users: list[str]) -> tuple[Path, list[str]]:
    """Give users new passwords and keep the old ones valid; return the file and who is rotated.

    A rotation that was begun and not ended is gone on with: nothing is written then.

    Args:
        inventory: a folder.
        users: names in `redis_passwords`; all of them if none is named.

    Raises:
        NotRotated: if the passwords are elsewhere, or a user has none.
    """
    path = secrets_file(inventory)
    text = read(path)
    values = yaml.safe_load(text) or {}
    if values.get(PREVIOUS):
        return path, sorted(values[PREVIOUS])
    passwords: dict[str, str] = values.get("redis_passwords") or {}
    unknown = sorted(set(users) - set(passwords))
    if unknown or not passwords:
        raise NotRotated(
            f"{path} has no password of {', '.join(unknown) or 'any user'} in redis_passwords: "
            f"there are {', '.join(sorted(passwords)) or 'none'}."
        )
    old = {name: str(passwords[name]) for name in (users or sorted(passwords))}
    for name, password in old.items():
        pattern = re.compile(rf"(?<![A-Za-z0-9]){re.escape(password)}(?![A-Za-z0-9])")
        if len(pattern.findall(text)) != 1:
            raise NotRotated(
                f"{path}: the password of {name} stands there more than once, or in pieces: change it by hand."
            )
        text = pattern.sub(new_password(), text)
    text = text.rstrip("\n") + f"\n{PREVIOUS}:\n"
    text += "".join(f"  {name}: {json.dumps(password)}\n" for name, password in old.items())
    _check(path, text, passwords, old)
    write(path, text)
    return path, sorted(old)


def _check(path: Path, text: str, before: dict[str, str], old: dict[str, str]) -> None:
    """Read back what would be written: a slip must not cost a password."""
    after = yaml.safe_load(text)
    kept = {name: word for name, word in after["redis_passwords"].items() if name not in old}
    changed = all(after["redis_passwords"][name] != word for name, word in old.items())
    if (
        after[PREVIOUS] != old
        or not changed
        or kept != {name: word for name, word in before.items() if name not in old}
    ):
        raise NotRotated(f"{path} could not be changed as text: write redis_passwords and {PREVIOUS} by hand.")


def end(inventory: Path) -> Path:
    """Forget the old passwords; return the file.

    Raises:
        NotRotated: if the passwords are elsewhere.
    """
    path = secrets_file(inventory)
    text = read(path)
    if PREVIOUS in (yaml.safe_load(text) or {}):
        write(path, BLOCK.sub("", text + "\n" if not text.endswith("\n") else text))
    return path
