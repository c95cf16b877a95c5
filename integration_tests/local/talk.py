"""Talking to the Redis and the workers of a clone, as applications and operators do."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from uuid import uuid4

import redis
from celery import Celery
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

from integration_tests.local.clone import Clone
from integration_tests.waiting import wait_until

HEARTBEAT = "celery-task-meta-probe-heartbeat"


def connect(clone: Clone, user: str = "admin") -> redis.Redis:
    """Return a client of the clone's Redis that tries once."""
    machine = clone.machine
    return redis.Redis(
        host="127.0.0.1",
        port=machine["redis_port"],
        username=user,
        password=machine["redis_passwords"][user],
        decode_responses=True,
        socket_timeout=5,
        retry=Retry(NoBackoff(), 0),
    )


def setting(clone: Clone, name: str) -> str:
    """Return what CONFIG GET says."""
    with connect(clone) as client:
        return str(client.config_get(name)[name])


def waiting(clone: Clone, queue: str) -> int:
    """Return the length of a queue."""
    with connect(clone, "verifier") as client:
        return int(str(client.llen(queue)))


def application(clone: Clone, user: str) -> Celery:
    """Return a Celery client that logs in as a user."""
    machine = clone.machine
    url = f"redis://{user}:{machine['redis_passwords'][user]}@127.0.0.1:{machine['redis_port']}/0"
    app = Celery("integration-tests", broker=url, set_as_current=False)
    app.conf.update(task_ignore_result=True, broker_connection_timeout=5)
    return app


def publish(clone: Clone, queue: str, beginning: str, count: int) -> list[str]:
    """Queue tasks that each write themselves into the ledger; return their entries."""
    run = uuid4().hex[:8]
    entries = [f"{beginning}-{run}-{number:04d}" for number in range(count)]
    with application(clone, "producer") as app:
        for entry in entries:
            app.send_task("probe.ledger", kwargs={"entry_id": entry}, queue=queue)
    return entries


@contextlib.contextmanager
def paused(clone: Clone, queue: str) -> Iterator[None]:
    """Have the one worker of a queue not consume it; every process goes on."""

    def tell(command: str) -> bool:
        with application(clone, "control") as app:
            return bool(getattr(app.control, command)(queue, destination=[f"{queue}-1@localhost"], reply=True))

    # our connections, which kombu pools for the whole process, may have died with a Redis meanwhile
    lost = (redis.RedisError, OperationalError)
    wait_until(f"the worker of {queue} answers", lambda: tell("cancel_consumer"), 30, ignoring=lost)
    try:
        yield
    finally:
        wait_until(f"{queue} is consumed again", lambda: tell("add_consumer"), 60, ignoring=lost)


def not_once(clone: Clone, entries: Collection[str], seconds: float) -> dict[str, int]:
    """Wait until all entries stand in the ledger, at most so long; return those that ran never or twice, and how often."""

    def ran() -> dict[str, int]:
        return clone.ledger()

    with contextlib.suppress(AssertionError):
        wait_until("all tasks ran", lambda: set(entries) <= set(ran()), seconds)
    times = ran()
    return {entry: times.get(entry, 0) for entry in entries if times.get(entry) != 1}
