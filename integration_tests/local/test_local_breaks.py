"""One thing is broken by hand: exactly the rows that name it fail, each says what helps, and `make deploy` heals it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

import pytest

from integration_tests.local.clone import Clone
from integration_tests.local.talk import HEARTBEAT, connect
from integration_tests.waiting import wait_until

Rows = set[tuple[str, str]]
OVERDUE = 10.0  # seconds: a heartbeat comes every 5, and may be 4 late


def stop_worker(stack: Clone) -> None:
    """Stop it for good."""
    assert "stopped" in stack.supervisor("stop", "celery-worker-slow-1")


def edit_file(stack: Clone) -> None:
    """Change redis.conf behind Ansible's back."""
    path = stack.root / "etc/redis/broker.conf"
    path.write_text(re.sub(r"(?m)^maxmemory .*$", "maxmemory 1073741824", path.read_text()))


def config_set(stack: Clone) -> None:
    """Change the running server, not the file."""
    connect(stack).config_set("maxmemory", 32 * 1024**2)


def change_password(stack: Clone) -> None:
    """Change the workers' password in Redis; who is logged in stays so."""
    connect(stack).acl_setuser("worker", enabled=True, reset_passwords=True, passwords="+another-password-of-somebody")


def stop_beat(stack: Clone) -> None:
    """Stop it, until its heartbeat is overdue."""
    assert "stopped" in stack.supervisor("stop", "celery-beat")
    client = connect(stack, "verifier")
    wait_until(
        "the heartbeat is overdue",
        lambda: time.time() - json.loads(str(client.get(HEARTBEAT)))["result"]["at"] > OVERDUE,
        30,
    )


def stop_redis(stack: Clone) -> None:
    """Stop it for good."""
    assert "stopped" in stack.supervisor("stop", "redis-broker")


BREAKS: list[tuple[Callable[[Clone], None], Rows, Rows]] = [
    (
        stop_worker,
        {
            ("host.service", "celery-worker-slow-1 on localhost"),
            ("workers.alive", "slow-1@localhost"),
            ("queues.canary", "slow"),
        },
        {("workers.pool", "slow-1@localhost"), ("behaviour.soft-limit", "slow")},
    ),
    (edit_file, {("host.files", "localhost")}, set()),
    (config_set, {("redis.config", "maxmemory of broker@localhost")}, set()),
    (change_password, {("security.login", "worker at broker@localhost")}, {("behaviour.chord", "fast")}),
    (stop_beat, {("host.service", "celery-beat on localhost"), ("beat.heartbeat", "heartbeat")}, set()),
    (
        stop_redis,
        {("host.service", "redis-broker on localhost"), ("redis.answers", "broker@localhost")},
        {
            ("security.anonymous", "broker@localhost"),
            ("workers.alive", "fast-1@localhost"),
            ("beat.heartbeat", "heartbeat"),
        },
    ),
]


@pytest.mark.parametrize(("damage", "failed", "blocked"), BREAKS, ids=[damage.__name__ for damage, _, _ in BREAKS])
def test_exactly_the_matching_rows_fail(
    stack: Clone, damage: Callable[[Clone], None], failed: Rows, blocked: Rows
) -> None:
    """Rows that cannot be asked are blocked, not failed; after `make deploy` all are kept again."""
    damage(stack)
    rows = stack.verify(expect=2)
    assert {(row["id"], row["subject"]) for row in rows if row["status"] == "failed"} == failed
    stopped = {(row["id"], row["subject"]) for row in rows if row["status"] == "blocked"}
    assert blocked <= stopped
    assert bool(blocked) == bool(stopped)
    output = stack.runs[-1].output
    for row in rows:
        if row["status"] == "failed":
            assert all(row["hint"][part] for part in ("found", "look", "do")), row
            assert row["hint"]["found"] in output
        if row["status"] == "blocked":
            assert row["blocked_by"] in {f"{name} {subject}" for name, subject in failed}, row
    stack.make("deploy", "ENV=local")
    assert {row["status"] for row in stack.verify()} == {"passed"}
