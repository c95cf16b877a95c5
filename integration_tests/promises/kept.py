"""What Redis still has: the tasks that wait in a queue, read as they stand there, against those that it accepted."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from redis import RedisError

from bench.ledger import Ledger
from bench.stack import BROKER_DATA, Stack
from bench.stage import Mutation
from drill.history import Event, Kind
from integration_tests.promise import variant
from integration_tests.waiting import wait_until

# Nobody takes from the queues. The transport that keeps tasks in plain lists: it is Redis that is put to the proof.
ALONE = variant(idle=True, celery_transport="redis")
NO_AOF = Mutation("no append-only file", "*/etc/redis/broker.conf", r"^appendonly yes$", "appendonly no")
QUEUE = "fast"  # where probe.record goes
START = 10.0  # seconds that Redis may take to answer after a start


def kept(stack: Stack) -> set[str]:
    """Return the entries of all tasks that wait."""
    with stack.client(user="worker") as client:
        messages = client.lrange(QUEUE, 0, -1)
    bodies = (base64.b64decode(json.loads(message)["body"]) for message in messages)
    return {json.loads(body)[1]["entry"] for body in bodies}


def accepted(ledger: Ledger, before: float = float("inf")) -> dict[str, float]:
    """Return entry → time (seconds since the epoch) of what Redis has acknowledged, up to a moment."""
    events: list[Event] = [event for event in ledger.history if event.kind is Kind.ACKNOWLEDGED]
    return {event.entry: event.at for event in events if event.at <= before}


def lost(stack: Stack, ledger: Ledger) -> int:
    """Return how many tasks were accepted and are not there."""
    return len(accepted(ledger).keys() - kept(stack))


def await_more(ledger: Ledger, count: int) -> None:
    """Wait until so many more tasks of a stream were accepted."""
    enough = len(ledger.history) + 2 * count  # submitted, acknowledged
    wait_until(f"{count} more accepted tasks", lambda: len(ledger.history) >= enough, START)


def start(stack: Stack) -> None:
    """Start Redis and wait for an answer."""
    stack.redis.start()
    await_answer(stack)


def await_answer(stack: Stack) -> None:
    """Wait until Redis answers, its data loaded."""

    def answers() -> bool:
        with stack.client() as client:
            return bool(client.ping())

    wait_until("an answer of Redis", answers, START, ignoring=(RedisError, OSError))


def data(stack: Stack) -> Path:
    """Return the folder of the broker's data."""
    return stack.redis.data[BROKER_DATA]
