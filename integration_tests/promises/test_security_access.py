"""Security: who may do what in Redis, tried on the rendered users."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from celery import chain, chord, group
from redis import Redis, RedisError
from redis.exceptions import NoPermissionError

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise
from integration_tests.waiting import wait_until
from settings.acl import BUILT_IN
from settings.endpoints import host_address
from verify.clients import options

# What nobody of Celery needs, and an attacker wants: each ends, empties, reads or reconfigures the server.
FORBIDDEN = (
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG SET maxmemory 1",
    "CONFIG REWRITE",
    "EVAL return(1) 0",
    "SHUTDOWN NOSAVE",
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "DEBUG SLEEP 0",
    "SAVE",
    "BGREWRITEAOF",
    "REPLICAOF NO ONE",
    "MODULE LIST",
    "MIGRATE 192.0.2.1 6379 fast 0 10",
    "ACL LIST",
    "ACL SETUSER intruder on nopass +@all",
    "SCRIPT FLUSH",
    "FUNCTION FLUSH",
    "CLIENT KILL TYPE normal",
    "MONITOR",
    "SWAPDB 0 1",
    "RENAME fast slow",
    "DUMP fast",
    "LATENCY RESET",
    "PSYNC ? -1",
)
# Whose work it is.
ALLOWED = {
    "admin": (
        "CONFIG SET",
        "CONFIG REWRITE",
        "SCAN",
        "BGREWRITEAOF",
        "REPLICAOF",
        "ACL",
        "CLIENT KILL",
        "LATENCY RESET",
    ),
    "replica": ("PSYNC",),
    "sentinel": ("CONFIG REWRITE", "REPLICAOF", "CLIENT KILL"),
}
OPEN = Mutation("the worker may do everything", "*/etc/redis/broker.acl", r"^(user worker .*)$", r"\1 +@all")
BLIND = Mutation("a command the worker needs is missing", "*/etc/redis/broker.acl", r"^(user worker .*) \+setex", r"\1")


def allowed(client: Redis, commands: tuple[str, ...]) -> list[str]:
    """Return the commands that are not refused for want of a right."""
    found = []
    for command in commands:
        try:
            client.execute_command(*command.split())  # type: ignore[no-untyped-call]
        except NoPermissionError:
            continue
        except RedisError as error:
            if "not allowed" in str(error):  # by the configuration, for everybody
                continue  # else it was let in, and failed at something else
        found.append(command)
    return found


def forbidden(user: str) -> tuple[str, ...]:
    return tuple(command for command in FORBIDDEN if not command.startswith(ALLOWED.get(user, ("-",))))


@pytest.mark.parametrize("user", BUILT_IN)
@promise(
    "forbidden-refused",
    "No user of Redis may do what its work does not need.",
    fault="every dangerous command, as every user",
    settings=("redis_auth", "redis_acl_users"),
    unit="commands let in",
    exactly=0,
)
def test_no_user_may_do_what_its_work_does_not_need(stack: Stack, proof: Proof, user: str) -> None:
    with stack.client(user=user) as client:
        let_in = allowed(client, forbidden(user))
    proof(len(let_in), f"{user}: {', '.join(let_in) or f'{len(forbidden(user))} refused'}")


@promise(
    "worker-confined",
    "Who takes over a worker cannot empty, read out or reconfigure Redis.",
    fault="every dangerous command, as worker",
    settings=("redis_auth",),
    unit="commands let in",
    exactly=0,
    mutations=(OPEN,),
)
def test_a_worker_is_confined(stack: Stack, proof: Proof) -> None:
    harmless = tuple(
        command for command in forbidden("worker") if not command.startswith(("SHUTDOWN", "MONITOR", "PSYNC"))
    )
    with stack.client(user="worker") as client:
        proof(len(allowed(client, harmless)))


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("worker", "GET another:application"),
        ("worker", "LPUSH another-queue x"),
        ("producer", "BRPOP fast 1"),
        ("producer", "RPUSH fast x"),
        ("producer", "LPUSH another-queue x"),
        ("producer", "HGET unacked x"),
        ("control", "SET celery-task-meta-x forged"),
        ("flower", "SET celery-task-meta-x forged"),
        ("exporter", "LPUSH fast x"),
        ("exporter", "LRANGE fast 0 -1"),
        ("health", "LLEN fast"),
        ("health", "INFO"),
        ("backup", "GET celery-task-meta-x"),
        ("replica", "LLEN fast"),
        ("admin", "LRANGE fast 0 -1"),
        ("admin", "GET celery-task-meta-x"),
    ],
)
@promise(
    "keys-confined",
    "A user reaches the keys and the ways of its work, and no others: a producer takes no tasks, nobody else forges results.",
    fault="a command on what is not its own",
    settings=("redis_auth", "celery_queues", "celery_global_keyprefix"),
    unit="commands let in",
    exactly=0,
)
def test_users_reach_only_what_is_theirs(stack: Stack, proof: Proof, user: str, command: str) -> None:
    with stack.client(user=user) as client:
        proof(len(allowed(client, (command,))), f"{user}: {command}")


@promise(
    "no-denial-in-work",
    "Normal work meets no closed door: the log of denials stays empty.",
    fault="retries, ETA, canvas, priorities, events, inspection, revocation, a killed child, a cold shutdown",
    settings=("redis_auth",),
    unit="denials",
    exactly=0,
    mutations=(BLIND,),
)
def test_normal_work_meets_no_closed_door(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    with stack.client() as admin:
        admin.acl_log_reset()
        # Where a right is missing, work fails; the log says why.
        with contextlib.suppress(Exception):
            everything(stack, ledger)
        denied = admin.acl_log()
    proof(len(denied), "; ".join(f"{entry['username']}: {entry['object']}" for entry in denied[:3]))


def everything(stack: Stack, ledger: Ledger) -> None:
    """Use Celery as applications do."""
    app, add = stack.app, stack.app.signature
    workers = [stack.worker.celery_name]
    assert stack.command("enable_events", workers)
    ledger.send(3, failures=1)
    ledger.send(2, countdown=0.5)
    ledger.send(2, priority=3)
    sums = [add("probe.add", (number, number)) for number in range(4)]
    results = [
        stack.publish(group(sums, app=app)),
        stack.publish(chord(sums, add("probe.sum", app=app), app=app)),
        stack.publish(chain(add("probe.add", (1, 1)), add("probe.add", (2,)), app=app)),
    ]
    revoked = stack.publish(add("probe.noop"), countdown=60)
    assert stack.command("revoke", workers, task_id=revoked.id)
    for result in results:
        result.get(timeout=8)
        result.forget()
    for command in ("active", "stats", "disable_events"):
        assert stack.command(command, workers), command
    assert ledger.drain()
    running(ledger)
    stack.worker.signal(stack.worker.children()[0])
    assert ledger.drain()
    running(ledger)
    stack.worker.end_by("QUIT", 20)
    assert ledger.drain()


def running(ledger: Ledger) -> None:
    """Have both children at work."""
    before = len(set(ledger.started()))
    ledger.send(2, seconds=1)
    ledger.await_started(before + 2)


@pytest.mark.parametrize(
    ("username", "password"),
    [
        (None, None),
        (None, ""),
        ("default", ""),
        ("default", "default"),
        (None, "redis"),
        ("worker", ""),
        ("worker", "worker"),
    ],
)
@promise(
    "nobody-without-password",
    "Nobody gets in without a password, nor with one that is easily guessed.",
    fault="a connection without a login, or with a bad one",
    settings=("redis_auth", "redis_passwords"),
    unit="logins",
    exactly=0,
)
def test_nobody_gets_in_without_a_password(
    stack: Stack, proof: Proof, username: str | None, password: str | None
) -> None:
    let_in = 0
    with stranger(stack, username, password) as client, contextlib.suppress(RedisError):
        client.ping()
        let_in = 1
    proof(let_in, f"{username or 'no name'}")


def stranger(stack: Stack, username: str | None, password: str | None) -> Redis:
    """Return a client with any login."""
    host = stack.fleet.hosts[stack.redis.host.name]
    where: dict[str, Any] = {"host": host_address(host), "port": host.instances[0].port, **options()}
    return Redis(username=username, password=password, **where)


def test_a_wrong_login_leaves_a_trace(stack: Stack) -> None:
    with stack.client() as admin:
        admin.acl_log_reset()
        with stranger(stack, "worker", "x") as intruder, pytest.raises(RedisError):
            intruder.ping()
        wait_until("an entry of the failed login", admin.acl_log, 5)
