"""Persistence: the append-only file switched on where there was none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.ledger import Ledger
from bench.stack import Stack
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.damage import stopped
from integration_tests.promises.kept import ALONE, data, lost, start
from integration_tests.promises.rewrite import rewrites
from integration_tests.waiting import wait_until

# Snapshots are on, and the stop writes one: the data are on the disk, though not where Redis would look for them.
pytestmark = [ALONE, variant(redis_appendonly=False, redis_save=["3600 1"])]
TASKS = 50
REWRITE = 10.0  # seconds


@contextlib.contextmanager
def on_in_file(stack: Stack) -> Iterator[None]:
    """Let redis.conf say that the append-only file is on, as the template does, while a block runs."""
    file = stack.staged.host("redis-1") / "etc" / "redis" / "broker.conf"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("\nappendonly no\n", "\nappendonly yes\n"), encoding="utf-8")
    try:
        yield
    finally:
        with stopped(stack):
            file.write_text(text, encoding="utf-8")


@promise(
    "aof-on-live",
    "The append-only file switched on live, and then in the file, keeps every task through a kill -9.",
    fault="CONFIG SET appendonly yes, the file written, kill -9 of Redis",
    settings=("redis_appendonly",),
    unit="tasks lost",
    exactly=0,
)
def test_the_append_only_file_is_switched_on_live(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(TASKS)
    with stack.client() as client:
        client.config_set("appendonly", "yes")
    wait_until("the end of the rewrite", lambda: not rewrites(stack), REWRITE)
    with on_in_file(stack):
        stack.redis.kill()
        start(stack)
        proof(lost(stack, ledger), f"of {TASKS}")


@promise(
    "aof-on-by-restart",
    "The append-only file switched on by file and restart loses everything, a good snapshot beside it: a known loss.",
    fault="the file written, Redis stopped by SIGTERM and started",
    settings=("redis_appendonly",),
    unit=f"of {TASKS} tasks lost",
    exactly=TASKS,
)
def test_the_append_only_file_is_switched_on_by_a_restart(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(TASKS)
    with on_in_file(stack):
        stack.redis.stop()
        start(stack)
        proof(lost(stack, ledger), "with an RDB file" if (data(stack) / "dump.rdb").exists() else "without an RDB file")
