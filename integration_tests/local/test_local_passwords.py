"""A new password for one user, written by hand into machine.yml."""

from __future__ import annotations

import secrets
import threading

import redis
import yaml

from integration_tests.local.clone import Clone
from integration_tests.local.processes import ArgumentsWatch
from integration_tests.local.talk import not_once, paused, publish, waiting

QUEUED = 50
SLOTS = 2  # of the worker that runs the trickle: no more can end while it stops
RESTARTED = {"celery-worker-fast-1", "celery-worker-slow-1", "celery-beat"}  # whose environment holds the password


def change_password(clone: Clone, user: str) -> tuple[str, str]:
    """Edit machine.yml as a person would who keeps the old password for a while; return the old one and the new."""
    machine = clone.machine
    old, new = machine["redis_passwords"][user], f"new-{secrets.token_hex(16)}"
    machine["redis_passwords"][user] = new
    machine["redis_previous_passwords"] = {user: old}
    write(clone, machine)
    return old, new


def write(clone: Clone, machine: dict[str, object]) -> None:
    """Replace machine.yml; others read it meanwhile."""
    partial = clone.machine_file.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(yaml.safe_dump(machine))
    partial.replace(clone.machine_file)


def drop_previous(clone: Clone) -> None:
    """End the time of the old password."""
    machine = clone.machine
    del machine["redis_previous_passwords"]
    write(clone, machine)


def admitted(clone: Clone, user: str, password: str) -> bool:
    """Return whether Redis lets the user in."""
    try:
        return bool(redis.Redis(port=clone.machine["redis_port"], username=user, password=password).ping())
    except redis.AuthenticationError:
        return False


def test_rotation_of_the_workers_loses_nothing(stack: Clone) -> None:
    """redis_passwords.worker, redis_previous_passwords: Redis takes it live, workers restart warm, one after the other.

    No task of a trickle and none that is queued is lost or runs twice; no argument of any process shows a password,
    however short it lives. The next deploy, without the old password, restarts nobody and locks it out.
    """
    before, trickle = stack.pids(), Trickle(stack)
    with paused(stack, "slow"):
        queued = publish(stack, "slow", "rotation", QUEUED)
        old, new = change_password(stack, "worker")
        trickle.start()
        with ArgumentsWatch([old, new]) as watch:
            stack.make("deploy", "ENV=local")
        trickle.stop()
    after = stack.pids()
    assert {name for name in before if before[name] != after[name]} == RESTARTED
    assert (watch.seen, watch.looks > 20) == (set(), True)
    assert admitted(stack, "worker", new)
    runs = not_once(stack, [*queued, *trickle.sent], 30)
    assert 0 not in runs.values(), "lost"
    # At least once: what ends while its worker stops is acknowledged too late, and delivered again (late acks).
    assert len(runs) <= SLOTS, "delivered again"

    drop_previous(stack)
    stack.make("deploy", "ENV=local")
    assert not admitted(stack, "worker", old)
    assert stack.pids() == after
    assert {row["status"] for row in stack.verify()} == {"passed"}


def test_password_of_a_client_touches_no_process(stack: Clone) -> None:
    """redis_passwords.producer without a previous one: live, at once, and what it has queued stays."""
    before = stack.pids()
    with paused(stack, "slow"):
        queued = publish(stack, "slow", "client", QUEUED)
        old, new = change_password(stack, "producer")
        drop_previous(stack)
        stack.make("deploy", "ENV=local")
        assert not admitted(stack, "producer", old)
        assert admitted(stack, "producer", new)
        assert stack.pids() == before
        assert waiting(stack, "slow") == QUEUED
    assert not_once(stack, queued, 30) == {}


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
