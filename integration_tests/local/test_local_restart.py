"""`RESTART=1 make verify`: a worker restarts warm under a trickle of tasks."""

from __future__ import annotations

from integration_tests.local.clone import Clone


def test_warm_restart_loses_nothing(stack: Clone) -> None:
    """celery_stop_timeout, process_manager: the one worker is new, no task was lost or ran twice, a crashed one ran again."""
    before = stack.pids()
    rows = {(row["id"], row["status"]): row["figure"] for row in stack.verify("RESTART=1")}
    print(rows["restart.warm", "passed"], rows["restart.crash", "passed"], sep="; ")
    assert "0 lost, 0 twice" in rows["restart.warm", "passed"]
    assert ("restart.crash", "passed") in rows
    after = stack.pids()
    assert {name for name in before if before[name] != after[name]} == {"celery-worker-fast-1"}
