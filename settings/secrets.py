"""`make secrets`: passwords for an inventory, generated, never shown."""

from __future__ import annotations

import os
import secrets
import string
import tempfile
from pathlib import Path
from typing import Any

from settings.acl import BUILT_IN

ALPHABET = string.ascii_letters + string.digits  # nothing that a URL, an ACL line or a shell would read otherwise
LENGTH = 32


def new_password() -> str:
    """Return a password of 190 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def passwords_yaml() -> str:
    """Return the secrets of an inventory as YAML."""
    lines = ["redis_passwords:", *(f"  {name}: {new_password()}" for name in BUILT_IN)]
    lines.append(f"celery_flower_password: {new_password()}")
    return "\n".join(lines) + "\n"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp creates mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


def _vault(password_file: Path) -> Any:
    """Return Ansible's vault, opened with the password of a file."""
    from ansible.constants import DEFAULT_VAULT_IDENTITY
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import VaultLib, get_file_vault_secret

    secret = get_file_vault_secret(filename=str(password_file), loader=DataLoader())
    secret.load()
    return VaultLib([(DEFAULT_VAULT_IDENTITY, secret)])


def encrypt(text: str, password_file: Path) -> str:
    """Encrypt a text as ansible-vault does."""
    return str(_vault(password_file).encrypt(text.encode()).decode())


def decrypt(text: str, password_file: Path) -> str:
    """Decrypt a text of ansible-vault.

    Raises:
        ValueError: if the password does not open it.
    """
    from ansible.errors import AnsibleError

    try:
        return str(_vault(password_file).decrypt(text.encode()).decode())
    except AnsibleError as error:
        raise ValueError("the vault does not open") from error
