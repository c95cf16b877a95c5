"""How fast workers empty a full queue of tasks that do nothing."""

from __future__ import annotations

import json
from datetime import datetime
from typing import cast

import redis
from kombu.utils.uuid import uuid

from benchmarks.profiles.stack import QUEUE
from integration_tests.load.stack import Stack
from integration_tests.waiting import wait_until
from loadtests.generator.link import client
from loadtests.generator.wire import Wire

TASK = "probe.add"
BATCH = 500
TIMEOUT = 120.0  # seconds that a drain may take


def drain(stack: Stack, tasks: int) -> float:
    """Fill the queue at once, wait until it is empty; return tasks per second between the first finish and the last.

    Raises:
        RuntimeError: if a task failed, or left no result.
    """
    target = stack.target()
    template = Wire(target).template([(TASK, (1, 2))])
    producer = client(target, target.broker)
    ids = [uuid() for _ in range(tasks)]
    messages = [template.render([one], one, (1, 2)) for one in ids]
    for begin in range(0, tasks, BATCH):
        producer.lpush(template.key.decode(), *messages[begin : begin + BATCH])
    wait_until("the queue is empty", lambda: not producer.llen(QUEUE), TIMEOUT)
    keys = [f"celery-task-meta-{one}" for one in ids]
    # only now, as they cost Redis as much as a few tasks
    results = [json.loads(one) for one in wait_until("all have a result", lambda: _all(producer, keys), TIMEOUT)]
    done = sorted(datetime.fromisoformat(one["date_done"]) for one in results if one["status"] == "SUCCESS")
    if len(done) != tasks:
        raise RuntimeError(f"{len(done)} of {tasks} tasks succeeded")
    return (tasks - 1) / (done[-1] - done[0]).total_seconds()


def _all(producer: redis.Redis, keys: list[str]) -> list[bytes]:
    """Return every value, or nothing."""
    found = cast("list[bytes | None]", producer.mget(keys))
    return [one for one in found if one] if all(found) else []
