"""What the recovery tests do to a stack, and how they judge it. Each harm returns what heals it."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

from bench.ledger import Ledger
from bench.stack import Stack
from drill.history import Kind
from drill.verdict import Verdict
from integration_tests.promises.delivery import settled
from integration_tests.waiting import pass_time, wait_until

RATE = 20.0  # tasks per second
DRAIN = 11.0  # seconds: the visibility timeout, by which messages of a lost connection come back, and a sweep
# One that a worker was about to write down: the gap of the stock transport (kombu 1405), measured in test_delivery_*.
GAP = 1
AGAIN = 40.0  # seconds: a worker that ends may take half a minute to be gone (decision 024)
Heal = Callable[[], object]
Harm = Callable[[Stack], Heal]


def through(stack: Stack, ledger: Ledger, harm: Harm, seconds: float = 0.0, times: int = 1) -> Verdict:
    """Send a stream of tasks through a fault, and judge.

    Args:
        stack: what is hurt.
        ledger: of the test.
        harm: the fault.
        seconds: that it lasts.
        times: how often it happens, each time after work has gone on.
    """
    with ledger.stream(RATE):
        _goes_on(ledger)
        for _ in range(times):
            heal = harm(stack)
            with ledger.fault(harm.__name__):  # in force: what slipped through before would look like a recovery
                pass_time(seconds)
                heal()
            _goes_on(ledger, 40)
    return settled(stack, ledger) if stack.speaks_plus else ledger.judge(DRAIN)


def _goes_on(ledger: Ledger, seconds: float = 20) -> None:
    """Wait for the end of a task that is sent from now on: there is no backlog left, in which the next fault would hide."""
    before = {event.entry for event in ledger.history if event.kind is Kind.SUBMITTED}
    wait_until("a new task has finished", lambda: set(ledger.finished()) - before, seconds)


def felt(verdict: Verdict, may_lose: int) -> tuple[float, str]:
    """Return seconds from the heal until tasks were consumed again, without end where more was lost than may be."""
    (fault,) = verdict.faults
    after = fault.recovered_after_heal
    note = f"{len(verdict.lost)} lost, {len(verdict.duplicated)} twice, longest task {verdict.latency.max:.1f} s"
    return (math.inf if after is None or len(verdict.lost) > may_lose else after), note


def soon(stack: Stack, ledger: Ledger, kills: int, gap: int) -> tuple[float, str]:
    """Return the median of the seconds until tasks are consumed again after a kill of Redis, and what to tell of it.

    Raises:
        AssertionError: if one took more than ten, a worker ended, or more was lost than the gap allows per kill.
    """
    before = stack.worker.restarts
    verdict = through(stack, ledger, killed, times=kills)
    assert stack.worker.restarts == before, "a worker ended by the loss of its connection"
    times = [math.inf if fault.recovered is None else fault.recovered for fault in verdict.faults]
    assert max(times) <= 10, times
    assert len(verdict.lost) <= kills * gap, verdict
    return median(times), f"worst {max(times):.1f} s, {len(verdict.lost)} lost, {len(verdict.duplicated)} twice"


def ended_by_a_kill(stack: Stack, ledger: Ledger) -> int:
    """Kill Redis while a worker runs a task; return how many of its processes end until it takes another."""
    before = stack.worker.restarts
    ledger.send(seconds=1)
    ledger.await_started()
    killed(stack)()
    (new,) = ledger.send()
    wait_until("a new task has finished", lambda: new in ledger.finished(), AGAIN)
    return stack.worker.restarts - before


def killed(stack: Stack) -> Heal:
    stack.redis.kill()
    return stack.redis.start


def stopped(stack: Stack) -> Heal:
    stack.redis.stop()
    return stack.redis.start


def standing_still(stack: Stack) -> Heal:
    stack.redis.pause()
    return stack.redis.resume


def started_again(stack: Stack) -> Heal:
    """Be killed, and back at once."""
    killed(stack)()
    return lambda: None


def cut_off(stack: Stack) -> Heal:
    stack.hosts["redis-1"].cut("drop")
    return stack.hosts["redis-1"].heal


def refusing(stack: Stack) -> Heal:
    stack.hosts["redis-1"].cut("reject")
    return stack.hosts["redis-1"].heal


def worker_cut_off(stack: Stack) -> Heal:
    stack.hosts["worker-1"].cut("drop")
    return stack.hosts["worker-1"].heal


def worker_refused(stack: Stack) -> Heal:
    stack.hosts["worker-1"].cut("reject")
    return stack.hosts["worker-1"].heal


def slow(stack: Stack) -> Heal:
    stack.hosts["redis-1"].throttle("64kbit")
    return stack.hosts["redis-1"].heal


def vanished(stack: Stack) -> Heal:
    """Die while nobody hears it: clients wait for an answer of a connection that is no more."""
    heal = cut_off(stack)
    stack.redis.kill()
    stack.redis.start()
    return heal


def disconnected(stack: Stack) -> Heal:
    with stack.client() as admin:
        for kind in ("normal", "pubsub"):
            admin.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    return lambda: None


def out_of_memory(stack: Stack) -> Heal:
    with stack.client() as admin:
        before = admin.config_get("maxmemory")["maxmemory"]
        admin.config_set("maxmemory", "1mb")

    def heal() -> None:
        with stack.client() as admin:
            admin.config_set("maxmemory", before)

    return heal


def alone(stack: Stack) -> Heal:
    """Miss a replica without which no write is taken."""
    with stack.client() as admin:
        admin.config_set("min-replicas-to-write", 1)

    def heal() -> None:
        with stack.client() as admin:
            admin.config_set("min-replicas-to-write", 0)

    return heal


def password_changed(stack: Stack) -> Heal:
    """Give the worker's user another password, of which the worker does not know."""
    with stack.client() as admin:
        (line,) = [one for one in admin.acl_list() if one.split()[1] == "worker"]
        digest = next(word for word in line.split() if word.startswith("#"))
        admin.execute_command("ACL", "SETUSER", "worker", "resetpass", ">another")
        admin.execute_command("CLIENT", "KILL", "USER", "worker")

    def heal() -> None:
        with stack.client() as admin:
            admin.execute_command("ACL", "SETUSER", "worker", "resetpass", digest)

    return heal


def password_added(stack: Stack) -> Heal:
    """Let a second password be valid, as a rotation does."""
    with stack.client() as admin:
        admin.execute_command("ACL", "SETUSER", "worker", ">another")

    def heal() -> None:
        with stack.client() as admin:
            admin.execute_command("ACL", "SETUSER", "worker", "<another")

    return heal
