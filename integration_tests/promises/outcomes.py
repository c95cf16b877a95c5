"""What became of tasks whose answer matters: read from the result backend until all are there or time is up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

import pytest
import redis
from celery import Celery
from celery.states import READY_STATES
from kombu.exceptions import OperationalError

from bench.client import producer
from bench.stack import Stack
from engine.errors import NotPossible
from engine.waiting import await_truth

Meta = dict[str, Any]  # what Celery stores of a task: status, result, retries …


def own_client(stack: Stack) -> Celery:
    """Return a client of this process, which speaks to the broker itself. Skips where this Python cannot."""
    if stack.speaks_plus and not find_spec("celery_redis_plus"):
        pytest.skip(
            "here the tests' own Python speaks to the broker: for redis-plus run them by Python 3.13 that has celery-redis-plus"
        )
    return producer(stack.staged)


def send(stack: Stack, task: str, /, *, options: dict[str, Any] | None = None, **kwargs: Any) -> str:
    """Publish one task as the user producer and return its id; `options` are those of `apply_async`.

    Not Celery's result object: that one speaks to Redis when it is collected, whenever that is.
    """
    return str(stack.publish(stack.app.signature(task, kwargs=kwargs), **(options or {})).id)


def outcomes(stack: Stack, tasks: Iterable[str], seconds: float) -> list[Meta]:
    """Return what was stored of the tasks that have ended by a deadline; the others are not among it."""
    ended: dict[str, Meta] = {}
    waiting = set(tasks)

    def all_ended() -> bool:
        with contextlib.suppress(redis.RedisError, OperationalError, OSError):  # while Redis is away
            for task in tuple(waiting):
                meta = stack.app.backend.get_task_meta(task, cache=False)
                if meta["status"] in READY_STATES:
                    ended[task] = meta
                    waiting.discard(task)
        return not waiting

    with contextlib.suppress(NotPossible):
        await_truth("the end of every task", all_ended, seconds)
    return list(ended.values())


def status(stack: Stack, task: str) -> str:
    """Return the state of a task by its id."""
    return str(stack.app.backend.get_task_meta(task, cache=False)["status"])
