"""What the backup program does without a Redis: rotation, the clock, room on the disk, the copy."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from templates.opt.redis import backup


def some(folder: Path, *numbers: int) -> None:
    """Make backups, oldest first."""
    for number in numbers:
        (folder / f"broker-2026010{number}T000000Z.rdb").write_bytes(b"x")
        (folder / f"broker-2026010{number}T000000Z.rdb.sha256").write_text("x")


def test_the_newest_stay_with_their_checksums(tmp_path: Path) -> None:
    some(tmp_path, 1, 2, 3)
    (tmp_path / "broker-20260104T000000Z.rdb.partial").write_bytes(b"cut off")
    (tmp_path / "state.json").write_text("{}")
    backup.rotate(tmp_path, keep=2)
    left = [f"broker-2026010{number}T000000Z.rdb{end}" for number in (2, 3) for end in ("", ".sha256")]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*left, "state.json"]


def test_a_disk_that_is_too_small_is_refused_before_redis_is_asked(tmp_path: Path) -> None:
    backup.check_space({"used_memory_dataset": "1000"}, tmp_path)
    with pytest.raises(backup.Failed, match="make room"):
        backup.check_space({"used_memory_dataset": str(2**60)}, tmp_path)


def test_a_copy_that_stays_on_the_disk_is_none(tmp_path: Path) -> None:
    some(tmp_path, 1)
    target = tmp_path / "mount"
    copy = {"to": str(target), "host": "one"}
    made = tmp_path / "broker-20260101T000000Z.rdb"
    with pytest.raises(backup.Failed, match="there is no"):
        backup.copy_off(copy, "broker", made)
    target.mkdir()
    with pytest.raises(backup.Failed, match="not mounted"):
        backup.copy_off(copy, "broker", made)


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a second file system")  # noqa: S108
def test_a_copy_to_another_file_system_has_its_checksum(tmp_path: Path) -> None:
    some(tmp_path, 1)
    root = Path(f"/dev/shm/backup-test-{os.getpid()}")  # noqa: S108
    root.mkdir()
    try:
        where = Path(
            backup.copy_off({"to": str(root), "host": "one"}, "broker", tmp_path / "broker-20260101T000000Z.rdb")
        )
        assert where == root / "one/broker/broker-20260101T000000Z.rdb"
        assert sorted(path.name for path in where.parent.iterdir()) == [where.name, f"{where.name}.sha256"]
    finally:
        shutil.rmtree(root)


@pytest.mark.parametrize(
    ("tried", "now", "due"),
    [
        ("2026-01-02 02:31", "2026-01-02 14:29", False),
        ("2026-01-02 02:31", "2026-01-02 14:30", True),
        ("2026-01-01 14:31", "2026-01-02 02:29", False),
        ("2026-01-01 14:31", "2026-01-03 02:29", True),  # slept through
        (None, "2026-01-02 00:00", True),  # never yet
    ],
)
def test_a_backup_is_due_once_after_each_time(tmp_path: Path, tried: str | None, now: str, due: bool) -> None:
    def seconds(text: str) -> float:
        return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M"))

    config: dict[str, Any] = {"directory": str(tmp_path), "at": ["02:30", "14:30"], "instances": [{"name": "broker"}]}
    (tmp_path / "broker").mkdir()
    if tried:
        (tmp_path / "broker/state.json").write_text(json.dumps({"tried": seconds(tried)}))
    assert backup.due(config, seconds(now)) is due
