"""The guard lets Redis start where it would find its data, or where there are none; else it says what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from templates.opt.redis import guard

PROGRAM = Path(guard.__file__)
AOF = Path(__file__).parent / "aof"
MANIFEST = "appendonlydir/appendonly.aof.manifest"
BASE = "appendonlydir/appendonly.aof.2.base.rdb"
INCR = "appendonlydir/appendonly.aof.2.incr.aof"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory as Redis left it, with data."""
    return Path(shutil.copytree(AOF / "full", tmp_path / "data"))


def found(data: Path, **said: str) -> str:
    """Return what the guard finds of a data directory."""
    return guard.trouble({"dir": str(data), "appendonly": "yes", **said})


def test_a_whole_data_directory_starts(data: Path) -> None:
    assert found(data) == ""


def test_a_first_start_has_nothing_and_starts(tmp_path: Path) -> None:
    assert found(tmp_path) == ""
    (tmp_path / "appendonlydir").mkdir()
    assert found(tmp_path) == ""


def test_a_missing_manifest_is_found_and_the_offered_one_is_that_of_redis(data: Path) -> None:
    manifest = data / MANIFEST
    written = manifest.read_text()
    manifest.unlink()
    message = found(data)
    assert str(manifest) in message
    command = message.split("What helps: ")[1].split(", as the user")[0]
    subprocess.run(["sh", "-c", command], check=True)
    assert manifest.read_text() == written
    assert found(data) == ""


def test_what_cannot_be_put_together_again_is_not_guessed(data: Path) -> None:
    (data / MANIFEST).unlink()
    shutil.copy(data / BASE, data / "appendonlydir/appendonly.aof.3.base.rdb")
    message = found(data)
    assert "printf" not in message
    assert "make restore" in message


@pytest.mark.parametrize("gone", [BASE, INCR])
def test_a_file_that_the_manifest_names_is_missed(data: Path, gone: str) -> None:
    (data / gone).unlink()
    assert str(data / gone) in found(data)


def test_history_in_a_manifest_may_be_gone(data: Path) -> None:
    with (data / MANIFEST).open("a") as manifest:
        manifest.write("file appendonly.aof.1.base.rdb seq 1 type h\n")
    assert found(data) == ""


def test_a_snapshot_without_an_append_only_file_is_found_if_it_holds_data(data: Path) -> None:
    shutil.rmtree(data / "appendonlydir")
    assert f"make restore FROM={data}/dump.rdb" in found(data)
    assert found(data, appendonly="no") == "", "Redis reads the snapshot then"
    shutil.copy(AOF / "empty/dump.rdb", data)
    assert found(data) == "", "an empty snapshot loses nothing"


def test_the_one_file_of_redis_6_is_enough(data: Path) -> None:
    shutil.rmtree(data / "appendonlydir")
    (data / "appendonly.aof").write_bytes(b"")
    assert found(data) == ""


def test_names_of_redis_conf_are_followed(data: Path) -> None:
    (data / "appendonlydir").rename(data / "other")
    assert found(data, appenddirname="other") == ""
    assert found(data) != ""


@pytest.mark.parametrize(
    ("bytes_", "holds"), [(b"", False), (b"REDIS0010\xff12345678", False), (b"REDIS0010\xfe\x00", True), (b"RED", True)]
)
def test_the_head_of_a_snapshot_tells_whether_it_holds_data(tmp_path: Path, bytes_: bytes, holds: bool) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(bytes_)
    assert guard.holds_data(str(path)) is holds


@pytest.fixture
def start(data: Path) -> Callable[[], subprocess.CompletedProcess[str]]:
    """Start the guard as a unit does, with `echo` as the server."""
    config = data.parent / "redis.conf"
    # as CONFIG REWRITE writes it
    config.write_text(f'# a comment\nappendonly no\nappendonly yes\ndir "{data}"\nlogfile ""\n')

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(PROGRAM), "echo", str(config)], capture_output=True, text=True, check=False
        )

    return run


def test_it_becomes_the_server(start: Callable[[], subprocess.CompletedProcess[str]], data: Path) -> None:
    done = start()
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{data.parent}/redis.conf\n", "")


def test_it_refuses_with_a_status_of_its_own(start: Callable[[], subprocess.CompletedProcess[str]], data: Path) -> None:
    (data / MANIFEST).unlink()
    done = start()
    assert done.returncode == guard.REFUSED
    assert done.stdout == ""
    assert "would start EMPTY" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_configuration_that_it_cannot_read_is_left_to_redis(
    start: Callable[[], subprocess.CompletedProcess[str]], data: Path
) -> None:
    (data.parent / "redis.conf").write_text('dir "unbalanced\n')
    done = start()
    assert done.returncode == 0
    assert "not checked" in done.stderr


@pytest.mark.parametrize("name", ["guard.py", "backup.py"])
def test_the_programs_hold_no_template(name: str) -> None:
    text = (PROGRAM.parent / name).read_text()
    assert not [mark for mark in ("{{", "{%", "{#") if mark in text]
