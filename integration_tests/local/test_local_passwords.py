"""A new password for one user, written by hand into machine.yml."""

from __future__ import annotations

import re
import secrets
import threading

import pytest
import redis

from integration_tests.local.clone import Clone
from integration_tests.local.processes import ArgumentsWatch
from integration_tests.local.talk import connect, paused, publish, not_once, waiting

QUEUED = 50


def change_password(clone: Clone, user: str, password: str) -> None:
    """Edit machine.yml as a person would."""
    text = clone.machine_file.read_text()
    clone.machine_file.write_text(re.sub(rf"(?m)^  {user}: .*$", f"  {user}: {password}", text, count=1))


def test_new_password_of_the_workers_loses_nothing(stack: Clone) -> None:
    """redis_passwords.worker: Redis takes it live, workers restart warm one after the other; no task is lost or run twice.

    No argument of any process shows a password meanwhile, however short it lives.
    """
    old = stack.machine["redis_passwords"]["worker"]
    new = secrets.token_hex(16)
    before = stack.pids()
    trickle = Trickle(stack)
    with paused(stack, "slow"), ArgumentsWatch([old, new]) as watch:
        entries = publish(stack, "slow", "rotation-queued", QUEUED)
        change_password(stack, "worker", new)
        trickle.start()
        stack.make("deploy", "ENV=local")
        trickle.stop()
        # the new worker of the queue consumes it; until then nothing was taken
        assert waiting(stack, "slow") <= QUEUED
    after = stack.pids()
    assert {name for name in before if before[name] != after[name]} == {"celery-worker-fast-1", "celery-worker-slow-1", "celery-beat"}
    assert watch.seen == set()
    assert watch.looks > 20
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=stack.machine["redis_port"], username="worker", password=old).ping()
    assert connect(stack, "worker").ping()
    assert not_once(stack, [*entries, *trickle.sent], 30) == {}
    assert {row["status"] for row in stack.verify()} == {"passed"}


class Trickle(threading.Thread):
    """Queues a task about every 50 ms until it is stopped."""

    def __init__(self, stack: Clone) -> None:
        """Send to the queue of the two-slot worker."""
        super().__init__(daemon=True)
        self.stack = stack
        self.sent: list[str] = []
        self._stop_sending = threading.Event()

    def run(self) -> None:
        """Send."""
        while not self._stop_sending.wait(0.05):
            self.sent += publish(self.stack, "fast", "trickle", 1)

    def stop(self) -> None:
        """End after the task that is being sent."""
        self._stop_sending.set()
        self.join()
