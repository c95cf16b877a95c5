"""Persistence: an append-only file that is torn, corrupt or gone, and what Redis and its guard make of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.ledger import Ledger
from bench.stack import BROKER_DATA, Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise
from integration_tests.promises.damage import AOF, MANIFEST, beside, comes_up, guarded, lose, snapshot, stopped, written
from integration_tests.promises.kept import ALONE, lost
from templates.opt.redis.guard import REFUSED

pytestmark = ALONE
TASKS = 50
GOOD = 25  # of them stand before the damage
ENTRY = b"*3\r\n$5\r\nLPUSH"  # as a command begins in the append-only file
ZEROS = 512  # bytes: a block that the file system has given, and nobody has written
STRICT = Mutation(
    "a torn file is refused", "*/etc/redis/broker.conf", r"^aof-load-truncated yes$", "aof-load-truncated no"
)
MISSING = pytest.mark.parametrize("missing", ["manifest", "append-only file"])


def spoil(file: Path, how: str) -> None:
    """Damage an append-only file as a bad disk does, or a file system after a power cut."""
    content = bytearray(file.read_bytes())
    if how == "zero tail":
        content += bytes(ZEROS)
    else:
        place = -1
        for _ in range(GOOD + 1):
            place = content.index(ENTRY, place + 1)
        content[place : place + len(ENTRY)] = b"?" * len(ENTRY)
    file.write_bytes(content)


@promise(
    "torn-tail",
    "Redis starts on an append-only file whose last entry is torn, and has all but that entry.",
    fault="the append-only file ends in the middle of an entry",
    settings=("redis_aof_load_truncated",),
    unit=f"of {TASKS} tasks lost",
    exactly=1,
    mutations=(STRICT,),
)
def test_a_torn_tail_costs_one_entry(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    ledger.send(TASKS)
    with stopped(stack) as data:
        file = written(data)
        os.truncate(file, file.stat().st_size - 10)
        proof(lost(stack, ledger) if comes_up(stack) else TASKS)


@pytest.mark.parametrize("how", ["corrupt middle", "zero tail"])
@promise(
    "corrupt-refused",
    "Redis does not start with half of a corrupt append-only file: it refuses, and its log names what mends it.",
    fault="the append-only file is overwritten in the middle, or ends in zeros",
    settings=("redis_appendonly",),
    unit="refusals that name redis-check-aof",
    exactly=1,
)
def test_a_corrupt_file_is_refused(stack: Stack, ledger: Ledger, proof: Proof, how: str) -> None:
    ledger.send(TASKS)
    with stopped(stack) as data:
        spoil(written(data), how)
        said = len(stack.redis.logs())
        proof(not comes_up(stack) and "redis-check-aof --fix" in stack.redis.logs()[said:], how)


@pytest.mark.parametrize(("how", "gone"), [("corrupt middle", TASKS - GOOD), ("zero tail", 0)])
@promise(
    "corrupt-mended",
    "redis-check-aof --fix keeps what stands before the damage, and only that: a known loss.",
    fault="the append-only file is overwritten in the middle, or ends in zeros",
    settings=("redis_appendonly",),
    unit="tasks kept or lost against what stands before the damage",
    exactly=0,
)
def test_a_corrupt_file_is_mended(stack: Stack, ledger: Ledger, proof: Proof, how: str, gone: int) -> None:
    ledger.send(TASKS)
    with stopped(stack) as data:
        spoil(written(data), how)
        manifest = f"{BROKER_DATA}/{AOF}/{MANIFEST}"
        said = beside(stack, stack.redis.service.image, "sh", "-c", f"echo y | redis-check-aof --fix {manifest}")
        up = comes_up(stack)
        proof(lost(stack, ledger) - gone if up else TASKS, f"{how}: {gone} of {TASKS} lost" if up else said.output)


@MISSING
@promise(
    "empty-start",
    "Redis by itself starts EMPTY, without an error, where its append-only file is on and gone: a known danger.",
    fault="the manifest is gone; or the whole append-only file, beside a good snapshot",
    settings=("redis_appendonly",),
    unit=f"of {TASKS} tasks lost",
    exactly=TASKS,
)
def test_redis_starts_empty(stack: Stack, ledger: Ledger, proof: Proof, missing: str) -> None:
    ledger.send(TASKS)
    snapshot(stack)
    with stopped(stack) as data:
        lose(data, missing)
        proof(lost(stack, ledger) if comes_up(stack) else 0, f"without the {missing}")


@MISSING
@promise(
    "guard-refuses",
    "The guard of a host lets Redis start on its data, and not without its append-only file; it says what helps.",
    fault="the manifest is gone; or the whole append-only file, beside a good snapshot",
    settings=("redis_appendonly",),
    unit="wrong decisions",
    exactly=0,
)
def test_the_guard_refuses_an_empty_start(stack: Stack, ledger: Ledger, proof: Proof, missing: str) -> None:
    ledger.send(TASKS)
    snapshot(stack)
    with stopped(stack) as data:
        whole = guarded(stack)
        lose(data, missing)
        without = guarded(stack)
    wrong = (whole.code != 0) + (without.code != REFUSED or "would start EMPTY" not in without.output)
    proof(wrong, f"without the {missing}: {without.output.strip()}")
