"""Promise: files are written whole, with their mode, once; a check writes nothing; a secret is in no diff."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def write_files(plugin: Callable[[str], ModuleType]) -> ModuleType:
    return plugin("modules/write_files")


def entry(path: Path, **said: Any) -> dict[str, Any]:
    """Return an entry as Ansible hands it over: every key there, what was not said None."""
    keys = dict.fromkeys(("content", "target", "owner", "group", "mode"))
    return {**keys, "path": str(path), "state": "directory", "secret": False, **said}


def content(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_file_is_written_once_with_its_mode(write_files: ModuleType, tmp_path: Path) -> None:
    file = entry(tmp_path / "file", content=content("text\n"), mode="0640")
    assert write_files.write(file, check=False) == {"before": "", "after": "text\n"}
    assert (tmp_path / "file").read_text() == "text\n"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert write_files.write(file, check=False) is None


def test_a_check_writes_nothing(write_files: ModuleType, tmp_path: Path) -> None:
    entries = [
        entry(tmp_path / "file", content=content("text")),
        entry(tmp_path / "folder"),
        entry(tmp_path / "link", state="link", target="x"),
    ]
    assert all(write_files.write(item, check=True) for item in entries)
    assert list(tmp_path.iterdir()) == []


def test_a_secret_is_in_no_diff(write_files: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("the old password")
    change = write_files.write(entry(path, content=content("the new password"), secret=True), check=False)
    assert "password" not in str(change)


def test_a_wrong_mode_is_mended_and_told(write_files: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    path.chmod(0o666)
    change = write_files.write(entry(path, content=content("text"), mode="0600"), check=False)
    assert "mode" in change["after"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_is_replaced_in_one_step(write_files: ModuleType, tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to("releases/old")
    assert write_files.write(entry(link, state="link", target="releases/new"), check=False)
    assert link.readlink() == Path("releases/new")
    assert write_files.write(entry(link, state="link", target="releases/new"), check=False) is None


def test_absent_removes_what_is_there_and_only_that(write_files: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert write_files.write(entry(tmp_path / "file", state="absent"), check=False)
    assert write_files.write(entry(tmp_path / "file", state="absent"), check=False) is None


def test_a_failed_write_leaves_the_old_file(write_files: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyError):
        write_files.write(entry(path, content=content("new"), owner="no-such-user"), check=False)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_directory_is_only_removed_by_name(write_files: ModuleType, tmp_path: Path) -> None:
    """`absent` is for files, `vacant` for what is empty; only `no_tree` takes the content along."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "of-others").touch()
    with pytest.raises(OSError, match="shared"):
        write_files.write(entry(tmp_path / "shared", state="absent"), check=False)
    assert write_files.write(entry(tmp_path / "shared", state="vacant"), check=False) is None
    assert (tmp_path / "shared" / "of-others").exists()
    assert write_files.write(entry(tmp_path / "shared", state="no_tree"), check=False)
    assert not (tmp_path / "shared").exists()


def test_a_sweep_takes_what_we_have_written_and_no_longer_name(write_files: ModuleType, tmp_path: Path) -> None:
    """Files and folders of ours that match and are not kept; what somebody else put there stays."""
    ours = "# Managed by Ansible: …\n"
    (tmp_path / "celery-old.conf").write_text(ours)
    (tmp_path / "celery-kept.conf").write_text(ours)
    (tmp_path / "celery-by-hand.conf").write_text("# mine\n")
    (tmp_path / "redis.conf").write_text(ours)
    (tmp_path / "celery-old.d").mkdir()
    (tmp_path / "celery-old.d" / "worker.conf").write_text(ours)
    (tmp_path / "celery-mixed.d").mkdir()
    (tmp_path / "celery-mixed.d" / "override.conf").write_text("# mine\n")
    sweep = entry(tmp_path, state="swept", pattern="celery-*", keep=["celery-kept.conf"])
    assert write_files.write(sweep, check=True)
    assert len(list(tmp_path.iterdir())) == 6
    write_files.write(sweep, check=False)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"celery-kept.conf", "celery-by-hand.conf", "redis.conf", "celery-mixed.d"}
    assert write_files.write(sweep, check=False) is None
