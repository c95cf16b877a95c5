"""A server is asked where the file on the host says, once the new file says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PLAIN = "bind 10.0.0.1 127.0.0.1\nport 6379\n"
TLS = "bind 10.0.0.1\nport 0\ntls-port 6380\ntls-cert-file /c\ntls-key-file /k\ntls-ca-cert-file /a\n"
FILES = ["--tls", "--cacert", "/a", "--cert", "/c", "--key", "/k"]


@pytest.fixture(scope="module")
def redis_live(plugin: Callable[[str], ModuleType]) -> ModuleType:
    return plugin("modules/redis_live")


@pytest.mark.parametrize(
    ("text", "host", "port", "tls", "expected"),
    [
        (PLAIN, "127.0.0.1", 6379, [], None),
        (PLAIN, "10.0.0.1", 6380, FILES, ("10.0.0.1", 6379, [])),
        (PLAIN, "10.9.9.9", 6379, [], ("10.0.0.1", 6379, [])),
        (TLS, "10.0.0.1", 6380, FILES, None),
        (TLS, "127.0.0.1", 6379, [], ("10.0.0.1", 6380, FILES)),
        ("bind * -::*\nport 7000\n", "127.0.0.1", 6379, [], ("127.0.0.1", 7000, [])),
    ],
)
def test_the_old_way(
    redis_live: ModuleType, tmp_path: Path, text: str, host: str, port: int, tls: list[str], expected: Any
) -> None:
    written = tmp_path / "redis.conf"
    written.write_text(text)
    assert redis_live.old_way({"written": str(written), "host": host, "port": port, "tls": tls}) == expected


def test_a_first_deploy_has_none(redis_live: ModuleType, tmp_path: Path) -> None:
    params = {"written": str(tmp_path / "redis.conf"), "host": "127.0.0.1", "port": 6379, "tls": []}
    assert redis_live.old_way(params) is None
