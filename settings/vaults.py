"""Vaults: the passwords that open them, and the files that none of these opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from settings.places import origin_of, short
from settings.problem import Problem
from settings.yaml_files import VAULT, File, files

FIX = "name the file with the vault's password in ANSIBLE_VAULT_PASSWORD_FILE"


class VaultClosedError(Exception):
    """An encrypted file does not open; the message names it and says what to do."""


def came_from_vault(value: Any) -> bool:
    """Whether a value was encrypted: by itself (`!vault`), or with the whole file that it stands in."""
    try:
        from ansible._internal._datatag._tags import VaultedValue
    except ImportError:  # a private API that moved
        return is_inline(value)
    if is_inline(value) or VaultedValue.is_tagged_on(value):
        return True
    origin = origin_of(value)  # Ansible tags the container of a whole file, not what is in it
    return origin is not None and is_encrypted(Path(origin[0]))


def is_inline(value: Any) -> bool:
    """Whether a value is a `!vault` of its own, opened or not."""
    from ansible.parsing.vault import EncryptedString

    return isinstance(value, EncryptedString)


def is_encrypted(path: Path) -> bool:
    """Whether a file is encrypted as a whole."""
    try:
        return _begins_encrypted(path, path.stat().st_mtime_ns)
    except OSError:
        return False


@lru_cache(maxsize=1024)
def _begins_encrypted(path: Path, _: int) -> bool:
    with path.open("rb") as content:
        return content.read(len(VAULT)) == VAULT.encode()


def encrypted_files(source: Path) -> list[File]:
    """Return the files of an inventory that are encrypted as a whole."""
    return [file for file in files(source) if is_encrypted(file.path)]


def load_secrets(loader: Any, password_file: str | None) -> tuple[list[Any], list[Problem]]:
    """Return the secrets of all vault passwords that are configured, and what is wrong with them."""
    from ansible.cli import CLI
    from ansible.errors import AnsibleError

    password_files = [password_file] if password_file else []
    try:
        secrets = CLI.setup_vault_secrets(
            loader, vault_ids=[], vault_password_files=password_files, auto_prompt=False, initialize_context=False
        )
    except AnsibleError:
        message = "the file with the vault's password is missing, empty or unreadable"
        fix = "correct ANSIBLE_VAULT_PASSWORD_FILE, or vault_password_file in ansible.cfg"
        return [], [Problem(rule="vault", where=password_file or "", message=message, fix=fix)]
    loader.set_vault_secrets(secrets)
    return list(secrets), []


def opened(encrypted: list[File], secrets: list[Any]) -> tuple[dict[Path, str], list[Problem]]:
    """Decrypt whole files; return their texts, and a problem for each that does not open."""
    from ansible.errors import AnsibleError
    from ansible.parsing.vault import VaultLib

    texts: dict[Path, str] = {}
    problems = []
    for file in encrypted:
        try:
            texts[file.path] = VaultLib(secrets).decrypt(file.path.read_bytes()).decode()
        except (AnsibleError, UnicodeDecodeError):
            said = "no given password opens it, or it is damaged" if secrets else "no vault password is given"
            message = f"the file is encrypted, and {said}"
            problems.append(Problem(rule="vault", where=short(file.path, 1), message=message, fix=FIX))
    return texts, problems


def read_clear(path: Path, password_file: Path | None = None) -> str:
    """Return the text of a file, decrypted where it is encrypted.

    Args:
        path: the file.
        password_file: holds a password beside those that Ansible is configured with.

    Raises:
        OSError: if it cannot be read.
        VaultClosedError: if no configured password opens it.
    """
    if not is_encrypted(path):
        return path.read_text(encoding="utf-8")
    from ansible.errors import AnsibleError
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import VaultLib

    try:
        return str(
            VaultLib(load_secrets(DataLoader(), str(password_file or "") or None)[0])
            .decrypt(path.read_bytes())
            .decode()
        )
    except AnsibleError:
        raise VaultClosedError(f"{path} is encrypted, and no given password opens it: {FIX}.") from None


@contextmanager
def secrets_in_use(secrets: list[Any]) -> Iterator[None]:
    """Let inline `!vault` values open while this lasts; Ansible has one set of secrets per process."""
    from ansible.parsing.vault import VaultSecretsContext

    current = VaultSecretsContext.current(optional=True)
    if current is None:
        VaultSecretsContext.initialize(VaultSecretsContext(secrets))
        current = VaultSecretsContext.current()
    before = current.secrets
    current.secrets = secrets
    try:
        yield
    finally:
        current.secrets = before
