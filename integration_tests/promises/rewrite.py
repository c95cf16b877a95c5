"""A rewrite of the append-only file that lasts long enough to be met by a fault."""

from __future__ import annotations

from bench.stack import Stack
from integration_tests.waiting import wait_until

DELAY = 300_000  # microseconds that each key takes: redis.conf does not name it, Redis' own tests use it
BEGIN = 5.0  # seconds


def slow_rewrite(stack: Stack) -> None:
    """Begin a rewrite that takes a second or more, and wait until it is under way."""
    with stack.client() as client:
        client.config_set("rdb-key-save-delay", DELAY)
        client.bgrewriteaof()
    wait_until("a rewrite under way", lambda: rewrites(stack), BEGIN)


def rewrites(stack: Stack) -> bool:
    """Whether a rewrite is under way."""
    return bool(stack.info("persistence")["aof_rewrite_in_progress"])
