"""Private keys that are encrypted on this machine, in clear for the time of a run, for this user alone."""

from __future__ import annotations

import shutil
import tempfile
import threading
from dataclasses import replace
from functools import cache
from pathlib import Path

from settings.secrets import write_private
from settings.tls import TlsFiles
from settings.vaults import is_encrypted, read_clear

_one_by_one = threading.Lock()


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="verify-"))  # mode 0700


def in_clear(key: str) -> str:
    """Return the path of a key that TLS can read: the file itself, or a copy that `forget` removes.

    Raises:
        VaultClosedError: if no configured password opens it.
    """
    with _one_by_one:
        return _in_clear(key)


@cache
def _in_clear(key: str) -> str:
    if not is_encrypted(Path(key)):
        return key
    clear = _folder() / key.replace("/", "_")
    write_private(clear, read_clear(Path(key)))
    return str(clear)


def files_in_clear(files: TlsFiles) -> TlsFiles:
    """Return TLS files of which the key is in clear."""
    return replace(files, key=in_clear(files.key)) if files.key else files


def url_in_clear(url: str) -> str:
    """Return the URL of a Redis whose key file is in clear."""
    head, found, key = url.partition("&ssl_keyfile=")
    return head + found + in_clear(key) if found else url


def forget() -> None:
    """Remove the copies."""
    if _folder.cache_info().currsize:
        shutil.rmtree(_folder(), ignore_errors=True)
    _folder.cache_clear()
    _in_clear.cache_clear()
