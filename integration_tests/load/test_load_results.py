"""Promises: every task ends in one row: with its parts, its failure, or as lost; and none is lost by the generator."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from integration_tests.load.stack import Stack, arriving
from integration_tests.waiting import wait_until

APART = 1.0  # ms between the generator's median and that of the worker's own times


def told(times: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in times.read_text().splitlines()]


def test_each_kind_of_task_ends_in_rows_of_its_own(working: Stack) -> None:
    run = working.locust("closed")
    rows = run.rows(code=1)  # two tasks fail, as they shall
    counts = {key: (row["num_requests"], row["num_failures"]) for key, row in rows.items()}
    whole = {name: count for (kind, name), count in counts.items() if kind == "end-to-end"}
    assert whole.pop("probe.fail") == whole.pop("broken") == whole.pop("late") == (1, 1)
    assert whole == dict.fromkeys(("probe.add", "probe.sleep", "chain", "delayed", "urgent"), (1, 0))
    assert counts["publish", "ignored"] == (1, 0), "a task without a result ends with its publish"
    for kind in ("publish", "queue wait", "run time"):
        assert counts[kind, "probe.sleep"] == (1, 0), f"{kind} has no row"
    assert 200 <= rows["run time", "probe.sleep"]["total_response_time"] < 300
    assert rows["end-to-end", "delayed"]["total_response_time"] < 1500, "a countdown counts as latency"
    assert "Traceback" not in run.output, run.output


def test_a_burst_beyond_the_subscribed_ids_misses_no_result(working: Stack) -> None:
    rows = working.locust("burst").rows(seconds=90)
    row = rows["end-to-end", "probe.noop"]
    assert (row["num_requests"], row["num_failures"]) == (2 * 1024, 0)


def apart(stack: Stack, times: Path) -> float:
    """Return by how many ms the generator's median differs from the worker's: tasks at a low rate, from their due time."""
    stack.locust("arriving", **arriving(20, 5, times=times)).rows()
    seen = told(times)
    assert len(seen) == 100
    ours = statistics.median(1000 * one["took"] for one in seen)
    workers = statistics.median(1000 * (one["result"]["finished_at"] - one["due"]) for one in seen)
    print(f"p50: generator {ours:.2f} ms, worker {workers:.2f} ms")
    assert ours > workers, "the result came before the task had ended"
    return float(ours - workers)


def test_latency_is_that_of_the_workers_own_times(working: Stack, tmp_path: Path) -> None:
    # A busy machine only ever adds, to the worker's storing of the result, too: the best of a few counts.
    assert any(apart(working, tmp_path / f"times-{number}") < APART for number in range(5))


def test_a_severed_subscription_loses_no_result(working: Stack, tmp_path: Path) -> None:
    times = tmp_path / "times"
    run = working.locust("arriving", **arriving(100, 5, times=times, limit=10))
    admin, severed = working.redis("admin"), 0

    def sever() -> bool:
        # only the one of the generator: the worker has a subscription of its own
        nonlocal severed
        for one in admin.client_list(_type="pubsub"):
            if one["user"] == "producer" and times.exists() and times.stat().st_size:
                severed += admin.client_kill_filter(_id=one["id"])
        return run.process.poll() is not None

    wait_until("the run ends", sever, 40)
    row = run.rows()["end-to-end", "probe.sleep"]
    assert severed > 5, "the subscription was not severed: the test shows nothing"
    assert (row["num_requests"], row["num_failures"]) == (500, 0)


def test_a_restarted_redis_costs_what_was_not_acknowledged_and_no_more(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "own")
    stack.stage()
    times = tmp_path / "times"
    with stack.redis_server() as server, stack.worker():
        run = stack.locust("arriving", **arriving(50, 6, times=times, limit=60))
        wait_until("tasks end", lambda: times.exists() and len(told(times)) > 50, 30)
        server.kill()
        server.wait()
        with stack.redis_server():
            row = run.rows(code=1, seconds=120)["end-to-end", "probe.sleep"]
    errors = {one["error"] for one in told(times) if one["error"]}
    assert row["num_requests"] == 300
    assert errors, "Redis was killed and nobody noticed"
    # the second: it listens again before it has read its file
    assert all(error.startswith(("not acknowledged: ", "refused: LOADING")) for error in errors), errors
    assert max(one["due"] for one in told(times) if not one["error"]) > max(
        one["due"] for one in told(times) if one["error"]
    ), "nothing succeeded after the restart"
