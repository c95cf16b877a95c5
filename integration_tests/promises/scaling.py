"""What the suites of scaling share: groups of workers side by side, each with a queue of its own, and how fast they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.ledger import Ledger
from bench.node import Node
from bench.stack import Stack
from drill.history import Event, Kind

PER_CHILD = 5  # tasks
MEMORY = 128  # MiB that a child may grow to
MOST, LEAST = 4, 1  # children of the group that scales by itself

_GROUPS: dict[str, dict[str, Any]] = {
    "two": {"concurrency": 2},
    "four": {"concurrency": 4},
    "threads": {"concurrency": 4, "pool": "threads", "time_limit": 0, "soft_time_limit": 0},
    "counted": {"concurrency": 1, "max_tasks_per_child": PER_CHILD},
    "weighed": {"concurrency": 1, "max_memory_per_child": f"{MEMORY}mb"},
    "auto": {"autoscale": [MOST, LEAST]},
}
GROUPS: dict[str, Any] = {
    "celery_queues": [{"name": name} for name in _GROUPS],
    "celery_task_default_queue": "two",
    "celery_routes": [{"match": "probe.*", "queue": "two"}],
    "celery_workers": [{"name": name, "queues": [name], **of} for name, of in _GROUPS.items()],
    # How long a child may idle before the group shrinks: half a minute, if Celery is not told (celery 5.7, worker/autoscale.py).
    "celery_environment": {"AUTOSCALE_KEEPALIVE": "1"},
}


def group(stack: Stack, name: str) -> Node:
    """Return the worker of a group."""
    return next(node for node in stack.workers if node.service.name == f"celery-worker-{name}-1")


def rate(ledger: Ledger, entries: Iterable[str]) -> float:
    """Return how many of these tasks finished a second, from the first start to the last finish."""
    chosen = set(entries)
    began = [event.at for event in ledger.events(Kind.STARTED) if event.entry in chosen]
    ended = [event.at for event in ledger.events(Kind.FINISHED) if event.entry in chosen]
    return len(ended) / (max(ended) - min(began)) if ended else 0.0


def at_once(ledger: Ledger) -> int:
    """Return how many tasks ran at once at most."""
    steps = [(event.at, +1) for event in ledger.events(Kind.STARTED)]
    steps += [(event.at, -1) for event in ledger.events(Kind.FINISHED)]
    most = now = 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most


def runs_of(events: Iterable[Event]) -> dict[int, int]:
    """Return child → how many tasks it ran."""
    found: dict[int, int] = {}
    for event in events:
        found[event.detail["pid"]] = found.get(event.detail["pid"], 0) + 1
    return found
