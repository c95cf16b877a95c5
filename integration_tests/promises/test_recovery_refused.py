"""Recovery: Redis answers and refuses. Publishes fail aloud, workers take nothing, and both go on when it is over."""

from __future__ import annotations

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from drill.history import Kind
from integration_tests.promise import Proof, promise
from integration_tests.promises import harm
from integration_tests.promises.delivery import STOCK
from integration_tests.promises.harm import AGAIN, GAP, felt, through
from integration_tests.waiting import pass_time, wait_until

BROKER = "*/etc/redis/broker.conf"
SNAPSHOTS = Mutation("snapshots are on", BROKER, r'^save ""$', "save 3600 1")
BACKLOG = 10
REFUSED = "invalid username-password pair"  # so redis-py says WRONGPASS


@STOCK
@promise(
    "memory-full-recovered",
    "Where Redis has no memory left, publishes are refused aloud; of what it had accepted at most the task is lost that a worker "
    "takes and cannot write down (kombu 1405).",
    fault="maxmemory below what is used, over a backlog; then room again",
    settings=("redis_maxmemory", "redis_maxmemory_policy", "celery_restart_delay"),
    unit="tasks lost",
    at_most=GAP,
)
def test_full_memory_loses_nothing(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    before = stack.worker.restarts
    ledger.send(BACKLOG, seconds=0.3)
    ledger.await_started()
    heal = harm.out_of_memory(stack)
    try:
        ledger.send(3, retry=False)
        wait_until("the worker gives up, and is started again", lambda: stack.worker.restarts > before, AGAIN)
    finally:
        heal()
    verdict = ledger.judge(25)
    assert verdict.acknowledged == BACKLOG, "accepted while there was no room"
    note = f"{len(verdict.doubtful)} of 3 refused, worker started again {stack.worker.restarts - before} times"
    proof(len(verdict.lost), note)


@promise(
    "wrong-password",
    "A worker whose password is no longer valid takes no task and says why; with a valid one it goes on by itself.",
    fault="another password for the worker's user, its connections closed; then the old one again",
    settings=("redis_passwords", "redis_previous_passwords", "celery_restart_delay"),
    unit="tasks taken meanwhile, or lost",
    exactly=0,
)
def test_a_wrong_password_takes_nothing(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    said = stack.worker.logs().count(REFUSED)
    heal = harm.password_changed(stack)
    try:
        wait_until("the worker says why", lambda: stack.worker.logs().count(REFUSED) > said, 15)
        ledger.send(3)
        pass_time(2)  # as long as a worker with the right password needs to take them
        taken = len(ledger.started())
    finally:
        heal()
    verdict = ledger.judge(25)
    proof(taken + len(verdict.lost), f"longest task {verdict.latency.max:.1f} s")


@STOCK  # not promised of redis-plus: a worker there ended, and took 32 s to be back, once
@promise(
    "no-replica",
    "While the replica is missing that a write must reach, publishes are refused; afterwards workers go on by themselves.",
    fault="min-replicas-to-write without a replica, under a stream of tasks",
    settings=("redis_min_replicas_to_write", "celery_restart_delay"),
    unit="s after it is over",
    at_most=20,
)
def test_a_missing_replica_is_survived(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    verdict = through(stack, ledger, harm.alone, 2)
    assert verdict.doubtful, "publishes were refused"
    proof(*felt(verdict, GAP))


@promise(
    "failed-snapshot-harmless",
    "A snapshot that fails stops no publish where there is an append-only file.",
    fault="BGSAVE cannot write its file",
    settings=("redis_save", "redis_stop_writes_on_bgsave_error"),
    unit="publishes refused",
    exactly=0,
    mutations=(SNAPSHOTS,),
)
def test_a_failed_snapshot_stops_no_publish(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    target = stack.redis.data["/var/lib/redis/broker"] / "dump.rdb"
    target.unlink(missing_ok=True)
    target.mkdir()  # what Redis cannot rename its file to, not even as root
    try:
        with stack.client() as admin:
            admin.bgsave()
            wait_until(
                "the snapshot has failed", lambda: stack.info("persistence")["rdb_last_bgsave_status"] != "ok", 10
            )
            ledger.send(retry=False)  # one: a refused one is tried for six seconds by redis-py 8
            refused = sum(event.kind is Kind.DOUBTFUL for event in ledger.history)
    finally:
        target.rmdir()
        with stack.client() as admin:
            admin.bgsave()
    wait_until("a snapshot that works", lambda: stack.info("persistence")["rdb_last_bgsave_status"] == "ok", 10)
    proof(refused, "of 1")
