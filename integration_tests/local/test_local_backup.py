"""A backup that was taken can be put back, and one that is damaged touches nothing."""

from __future__ import annotations

from pathlib import Path

from integration_tests.local.clone import Clone
from integration_tests.local.processes import ArgumentsWatch
from integration_tests.local.talk import connect

KEYS = 500
MARKS = [f"celery-task-meta-backup-{number}" for number in range(KEYS)]


def write(stack: Clone) -> None:
    """Have Redis hold what a backup shall hold."""
    with connect(stack, "worker") as client:
        for mark in MARKS:
            client.set(mark, mark)


def destroy(stack: Clone) -> None:
    """Lose it."""
    with connect(stack, "worker") as client:
        client.delete(*MARKS)
    assert held(stack) == 0


def held(stack: Clone) -> int:
    """Return how many of the marks are there as they were written."""
    with connect(stack, "verifier") as client:
        return sum(client.get(mark) == mark for mark in MARKS)


def newest(stack: Clone) -> Path:
    """Return the newest backup."""
    return max((stack.root / "var/backups/redis/broker").glob("*.rdb"))


def test_what_was_backed_up_comes_back(stack: Clone) -> None:
    """`make backup`, the data are lost, `make restore`: all is there, and everything runs again and verifies."""
    write(stack)
    secrets = stack.machine["redis_passwords"].values()
    with ArgumentsWatch(secrets) as watch:
        told = stack.make("backup", "ENV=local")
        destroy(stack)
        before = set((stack.root / "var/lib/redis/broker").iterdir())
        done = stack.make("restore", "ENV=local", "FROM=latest")
    assert watch.looks
    assert watch.seen == set()
    assert not [secret for secret in secrets if secret in told.output + done.output]
    assert f"broker  {newest(stack).name}" in told.output
    assert held(stack) == KEYS
    aside = [path for path in set((stack.root / "var/lib/redis/broker").iterdir()) - before if path.is_dir()]
    assert any(path.name.startswith("before-restore-") and list(path.iterdir()) for path in aside)
    assert {row["status"] for row in stack.rows()} == {"passed"}


def test_a_backup_that_is_no_good_touches_nothing(stack: Clone) -> None:
    """One that is damaged, or not there, or not named, is refused with a sentence; no process restarts."""
    stack.make("backup", "ENV=local")
    path = newest(stack)
    whole = path.read_bytes()
    before = stack.pids()
    try:
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 0xFF]))
        for source, words in (
            ("latest", "is damaged: its sha256 is"),
            (str(path), "is damaged, says redis-check-rdb"),
            ("broker-20000101T000000Z", "There is no backup"),
            ("", "Which backup?"),
        ):
            said = stack.make("restore", "ENV=local", f"FROM={source}", expect=2).said[-1]
            assert words in said
            assert said.endswith("Nothing was touched.")
    finally:
        path.write_bytes(whole)
    assert stack.pids() == before


def test_a_restore_can_be_rehearsed(stack: Clone) -> None:
    """With --check the backup is proven, and nothing stops."""
    stack.make("backup", "ENV=local")
    before = stack.pids()
    said = stack.make("restore", "ENV=local", "FROM=latest", "ARGS=--check").output
    assert "broker would be: " in " ".join(said.split())
    assert stack.pids() == before
