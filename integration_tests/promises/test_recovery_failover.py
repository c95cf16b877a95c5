"""Recovery: Sentinel promotes a replica; and a master that is cut off from the others takes no more writes."""

from __future__ import annotations

import math
import time

import pytest
from redis import RedisError, ResponseError

from bench.ledger import Ledger
from bench.node import Node
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.harm import GAP, RATE
from integration_tests.waiting import wait_until

LAG = 2  # seconds
BACKLOG = 20  # tasks
KEY = "celery-task-meta-of-the-old-master-"
pytestmark = variant(
    celery_transport="redis",  # the other one asks no Sentinel
    sentinel_enabled=True,
    sentinel_down_after_milliseconds=2000,
    redis_min_replicas_to_write=1,
    redis_min_replicas_max_lag=LAG,
    hosts={
        "redis-1": {"groups": ["sentinel"]},
        "redis-2": {
            "groups": ["redis", "sentinel"],
            "vars": {"redis_replicaof": "{{ machine_addresses['redis-1'] }} 6379"},
        },
        "redis-3": {
            "groups": ["redis", "sentinel"],
            "vars": {"redis_replicaof": "{{ machine_addresses['redis-1'] }} 6379"},
        },
    },
)
ALONE = Mutation(
    "no replica is asked for", "*/etc/redis/broker.conf", r"^min-replicas-to-write 1$", "min-replicas-to-write 0"
)


def masters(stack: Stack) -> list[Node]:
    """Return the Redis servers that say they are the master."""
    found = []
    for node in stack.redises:
        try:
            if stack.info("replication", node)["role"] == "master":
                found.append(node)
        except (RedisError, OSError):  # it is killed or cut off
            continue
    return found


def settled(stack: Stack) -> Node:
    """Wait until one is the master, the others follow, and the Sentinels know it; return it."""

    def complete() -> Node | None:
        found = masters(stack)
        if len(found) != 1:
            return None
        online = [stack.info("replication", found[0]).get(f"slave{number}", {}).get("state") for number in range(2)]
        return found[0] if online == ["online", "online"] else None

    found = wait_until("one master with two replicas", complete, 60)
    assert found
    return found


@promise(
    "failover",
    "Where the master dies, a replica is promoted, tasks are consumed again without a person, and none is lost that had "
    "reached a replica.",
    fault="kill -9 of the master under a stream of tasks, over a backlog; it stays away",
    settings=("sentinel_enabled", "sentinel_down_after_milliseconds", "sentinel_quorum", "redis_replicaof"),
    unit="s until tasks are consumed again",
    at_most=25,
)
def test_a_replica_is_promoted(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    master = settled(stack)
    backlog = set(ledger.send(BACKLOG, queue="slow", seconds=0.3))
    with stack.client(master) as admin:
        assert admin.wait(2, 2000) == 2, "the replicas have the backlog"
    with ledger.stream(RATE):
        ledger.await_started(3)
        master.kill()
        with ledger.fault("failover"):
            (promoted,) = wait_until("another master", lambda: masters(stack), 40)
        before = len(ledger.finished())
        wait_until("tasks are consumed again", lambda: len(ledger.finished()) > before + RATE, 40)
    master.start()
    verdict = ledger.judge(20)
    assert settled(stack) is promoted, "the old master follows"
    (fault,) = verdict.faults
    dropped = sum(loss.entry in backlog for loss in verdict.lost)
    seconds = math.inf if fault.recovered is None or dropped > GAP else fault.recovered
    # What the dead master had acknowledged and not yet passed on is gone: replication does not wait.
    lost = f"{dropped} of {BACKLOG} replicated and {len(verdict.lost) - dropped} of {verdict.acknowledged - BACKLOG} others lost"
    proof(seconds, f"{lost}, {len(verdict.duplicated)} twice")


@promise(
    "old-master-refuses",
    "A master that is cut off from its replicas refuses writes soon, instead of taking what would be lost.",
    fault="the master is cut off from replicas, Sentinels and workers, and not from one client",
    settings=("redis_min_replicas_to_write", "redis_min_replicas_max_lag"),
    unit="s until it refuses",
    at_most=LAG + 3,
    mutations=(ALONE,),
)
def test_an_old_master_refuses_writes(stack: Stack, proof: Proof) -> None:
    master = settled(stack)
    others = ", ".join(address for name, address in stack.staged.addresses.items() if name != master.host.name)
    taken, refused = 0, math.inf
    master.host.cut("drop", peer=f"{{ {others} }}")
    began = time.monotonic()
    try:
        with stack.client(master, user="producer") as client:
            while time.monotonic() - began < LAG + 6 and math.isinf(refused):
                try:
                    client.set(f"{KEY}{taken}", "x")
                    taken += 1
                except ResponseError:  # NOREPLICAS; no answer at all would be another error
                    refused = time.monotonic() - began
        if refused < math.inf:
            wait_until("another master", lambda: [one for one in masters(stack) if one is not master], 30)
    finally:
        master.host.heal()
    with stack.client(settled(stack), user="producer") as client:
        kept = sum(value is not None for value in client.mget([f"{KEY}{number}" for number in range(taken)]))
    proof(refused, f"of {taken} writes taken meanwhile {taken - kept} are lost")


@pytest.mark.parametrize("killed", ["replica", "sentinel"])
@promise(
    "spare-parts-die",
    "The death of a replica or of a Sentinel is not felt by tasks.",
    fault="kill -9 of a replica, or of a Sentinel, under a stream of tasks",
    settings=("sentinel_quorum", "redis_min_replicas_to_write"),
    unit="tasks lost or longer than a second",
    exactly=0,
)
def test_the_death_of_a_spare_part_is_not_felt(stack: Stack, ledger: Ledger, proof: Proof, killed: str) -> None:
    master = settled(stack)
    if killed == "replica":
        node = next(one for one in stack.redises if one is not master)
    else:
        node = next(
            one for one in stack.nodes.values() if one.service.name == "sentinel" and one.host is not master.host
        )
    with ledger.stream(RATE):
        wait_until("tasks have finished", lambda: len(ledger.finished()) > RATE, 20)
        with ledger.fault(killed):
            node.kill()
        before = len(ledger.finished())
        wait_until("tasks go on", lambda: len(ledger.finished()) > before + RATE, 20)
    node.start()
    verdict = ledger.judge(10, late_after=1.0)
    settled(stack)
    proof(len(verdict.lost) + len(verdict.late), str(verdict))
