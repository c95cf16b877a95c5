"""A changed setting: `make plan` shows it and touches nothing, `make deploy` applies it and loses nothing."""

from __future__ import annotations

import re

from integration_tests.local.clone import Clone
from integration_tests.local.talk import not_once, paused, publish, setting, waiting

MEGABYTE = 1024**2
QUEUED = 50


def test_live_setting_is_planned_then_applied_without_a_restart(stack: Clone) -> None:
    """redis_maxmemory: 64mb to 96mb by CONFIG SET; queued tasks stay and run once."""
    config = stack.root / "etc/redis/broker.conf"
    before, written = stack.pids(), config.read_bytes()
    stack.override_file.write_text("redis_maxmemory: 96mb\n")
    with paused(stack, "slow"):
        entries = publish(stack, "slow", "live", QUEUED)
        plan = stack.make("plan", "ENV=local").output
        assert f"maxmemory: {64 * MEGABYTE} -> {96 * MEGABYTE} (live)" in plan
        assert re.search(rf"-maxmemory {64 * MEGABYTE}\n\+maxmemory {96 * MEGABYTE}\n", plan), (
            "the file's difference, too"
        )
        assert "live: maxmemory; by restart: nothing" in plan
        assert setting(stack, "maxmemory") == str(64 * MEGABYTE)
        assert config.read_bytes() == written

        deploy = stack.make("deploy", "ENV=local").output
        assert "live: maxmemory; by restart: nothing" in deploy
        assert setting(stack, "maxmemory") == str(96 * MEGABYTE)
        assert f"\nmaxmemory {96 * MEGABYTE}\n" in config.read_text()
        assert stack.pids() == before
        assert waiting(stack, "slow") == QUEUED
    assert not_once(stack, entries, 30) == {}


def test_restart_setting_is_planned_then_restarts_redis_once(stack: Clone) -> None:
    """redis_databases cannot change live: Redis restarts, its clients stay, queued tasks stay and run once."""
    before, starts = stack.pids(), _starts(stack)
    stack.override_file.write_text("redis_databases: 17\n")
    with paused(stack, "slow"):
        entries = publish(stack, "slow", "restart", QUEUED)
        plan = stack.make("plan", "ENV=local").output
        assert "\n-databases 16\n+databases 17\n" in plan
        assert "live: nothing; by restart: databases" in plan
        assert stack.pids() == before
        assert setting(stack, "databases") == "16"

        stack.make("deploy", "ENV=local")
        after = stack.pids()
        assert {name for name in before if before[name] != after[name]} == {"redis-broker"}
        assert _starts(stack) == starts + 1
        assert setting(stack, "databases") == "17"
        assert waiting(stack, "slow") == QUEUED
    assert not_once(stack, entries, 60) == {}
    assert stack.make("deploy", "ENV=local").output.count("changed=0 ") == 1


def test_plan_tells_that_workers_will_restart(stack: Clone) -> None:
    """A setting of the workers is no live one: `make plan` says so before."""
    stack.override_file.write_text("celery_worker_max_tasks_per_child: 999\n")
    plan = stack.make("plan", "ENV=local").output
    stack.override_file.unlink()
    assert "by restart: nothing" not in plan
    assert "celery-worker-fast-1" in plan.splitlines()[-1]


def _starts(stack: Clone) -> int:
    """Count how often supervisor started Redis."""
    return (stack.root / "var/log/supervisor/supervisord.log").read_text().count("spawned: 'redis-broker'")
