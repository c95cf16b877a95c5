"""Promise: the distribution's Redis is masked before it exists, left alone where it is in nobody's way, else a conflict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def host_ready(plugin: Callable[[str], ModuleType]) -> ModuleType:
    return plugin("modules/host_ready")


def state(load: str, active: str = "inactive", file: str = "disabled") -> dict[str, str]:
    return {"LoadState": load, "ActiveState": active, "UnitFileState": file}


@pytest.mark.parametrize(
    ("found", "port", "expected"),
    [
        (state("not-found", file=""), 6379, "mask"),
        (state("masked", file="masked"), 6379, ""),
        (state("loaded", "active", "enabled"), 6379, "conflict"),
        (state("loaded", "active", "disabled"), 6379, "conflict"),
        (state("loaded", "activating", "disabled"), 6379, "conflict"),
        (state("loaded", "failed", "enabled"), 6379, "conflict"),  # the next boot would start it
        (state("loaded", "inactive", "disabled"), 6379, ""),
        (state("loaded", "active", "enabled"), 6390, ""),  # both may live
    ],
)
def test_what_is_done_with_the_distributions_redis(
    host_ready: ModuleType, found: dict[str, str], port: int, expected: str
) -> None:
    assert host_ready.judge(found, port, [6379, 0]) == expected


@pytest.mark.parametrize(
    ("text", "port"),
    [("port 6390\n", 6390), ("# port 1\nbind 127.0.0.1\n", 6379), ("port 1\n  port 2\n", 2), ("tls-port 3\n", 6379)],
)
def test_its_port_is_read_from_its_configuration(host_ready: ModuleType, tmp_path: Path, text: str, port: int) -> None:
    (tmp_path / "redis.conf").write_text(text)
    assert host_ready.port_of(str(tmp_path / "redis.conf")) == port
    assert host_ready.port_of(str(tmp_path / "missing.conf")) == host_ready.DEFAULT_PORT


def test_a_choice_of_sys_is_the_word_in_brackets(host_ready: ModuleType) -> None:
    assert host_ready.selected("always [madvise] never\n") == "madvise"


def test_names_that_are_missing_are_named(host_ready: ModuleType) -> None:
    def find(name: str) -> None:
        if name == "redis":
            raise KeyError(name)

    assert host_ready.missing(["redis", "root"], find) == ["redis"]
