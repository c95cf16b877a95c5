"""Workflows: chains, groups and chords come out right, fail aloud, and go on over restarts."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from celery import Signature, chain, chord, group
from celery.result import AsyncResult

from bench.ledger import TASK, Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from integration_tests.waiting import wait_until

pytestmark = variant(celery_transport="redis")

ANSWER = 10.0  # seconds
NO_AOF = Mutation("no append-only file", "*/etc/redis/broker.conf", r"^appendonly yes$", "appendonly no")


class Tasks:
    """Signatures of the probes, as one stack's application sends them."""

    def __init__(self, stack: Stack) -> None:
        """Nothing is sent yet."""
        self._app = stack.app

    def add(self, *numbers: int) -> Signature:
        """Add two numbers, of which the first may be the last result."""
        return self._app.signature("probe.add", args=numbers)

    def sum(self) -> Signature:
        """Add the results before it."""
        return self._app.signature("probe.sum")

    def echo(self, payload: Any) -> Signature:
        """Return the payload, whatever came before."""
        return self._app.signature("probe.echo", args=(payload,), immutable=True)

    def fail(self) -> Signature:
        """Fail, whatever came before."""
        return self._app.signature("probe.fail", immutable=True)

    def record(self, entry: str, seconds: float = 0.0) -> Signature:
        """Write an entry down, whatever came before."""
        return self._app.signature(TASK, kwargs={"entry": entry, "seconds": seconds}, immutable=True)


SHAPES: dict[str, tuple[Any, Any]] = {
    "chain": (lambda of: chain(of.add(1, 2), of.add(3), of.add(4)), 10),
    "group": (lambda of: group(of.add(number, 1) for number in range(5)), [1, 2, 3, 4, 5]),
    "chord": (lambda of: chord([of.add(number, 1) for number in range(5)], of.sum()), 15),
    "chord of 100": (lambda of: chord([of.add(number, 1) for number in range(100)], of.sum()), 5050),
    "chord of one": (lambda of: chord([of.add(1, 1)], of.sum()), 2),
    "immutable in a chain": (lambda of: chain(of.add(1, 2), of.echo("mine"), of.echo("last")), "last"),
    "chain of group of chain": (
        lambda of: chain(
            of.add(1, 1), group(chain(of.add(1), of.add(2)), chain(of.add(3), of.add(4))), of.sum(), of.add(100)
        ),
        114,
    ),
    "chord of chords": (
        lambda of: chord([chord([of.add(1, 1), of.add(2, 2)], of.sum()), chain(of.add(3, 3), of.add(4))], of.sum()),
        16,
    ),
    "group after group": (
        lambda of: chain(group(of.add(1, 1), of.add(2, 2)), of.sum(), group(of.add(1), of.add(2))),
        [7, 8],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@promise(
    "workflow-answers",
    "Chains, groups and chords, nested as well, come to the right result.",
    fault="none",
    settings=("celery_result_expires",),
    unit="wrong or missing answers",
    exactly=0,
)
def test_a_workflow_comes_out_right(stack: Stack, proof: Proof, shape: str) -> None:
    made, wanted = SHAPES[shape]
    seen: Any = "no answer"
    with contextlib.suppress(Exception):  # whatever class: there is none
        seen = made(Tasks(stack)).apply_async().get(timeout=ANSWER)
    proof(int(seen != wanted), f"{shape}: {seen}")


def ended(result: AsyncResult, state: str) -> AsyncResult:
    """Wait for a state and return the result."""
    wait_until(f"state {state} of {result.id}", lambda: result.state == state, ANSWER)
    return result


@promise(
    "chord-failure-told",
    "Where a member of a chord fails, the body does not run, its result tells why, and the other members' results are there.",
    fault="a failing member",
    settings=("celery_task_acks_on_failure",),
    unit="of 3 not so",
    exactly=0,
)
def test_a_chord_fails_aloud(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    of, body = Tasks(stack), f"{ledger.prefix}-body"
    result = chord([of.add(1, 1), of.fail(), of.add(2, 2)], of.record(body)).apply_async()
    told = "asked to fail" in str(ended(result, "FAILURE").result)
    others = [member.get(timeout=ANSWER) for number, member in enumerate(result.parent.results) if number != 1]
    ran = body in ledger.started()
    proof(ran + (not told) + (others != [2, 4]), f"{type(result.result).__name__}: {result.result}")


@promise(
    "chain-failure-told",
    "Where a step of a chain fails, no later step runs, and the chain's result is that failure.",
    fault="a failing step",
    settings=("celery_task_acks_on_failure",),
    unit="of 2 not so",
    exactly=0,
)
def test_a_chain_fails_aloud(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    of, later = Tasks(stack), f"{ledger.prefix}-later"
    result = chain(of.add(1, 1), of.fail(), of.record(later), of.record(later)).apply_async()
    told = "asked to fail" in str(ended(result, "FAILURE").result)
    proof((later in ledger.started()) + (not told), str(result.result))


@pytest.mark.parametrize(("task", "called"), [("probe.echo", "link"), ("probe.fail", "link_error")])
@promise(
    "callbacks-called",
    "After a success what is linked runs, after a failure what is linked to errors; once, and never the other.",
    fault="none, and a failing task",
    settings=("celery_imports",),
    unit="calls too many or too few",
    exactly=0,
)
def test_callbacks_are_called(stack: Stack, ledger: Ledger, proof: Proof, task: str, called: str) -> None:
    of = Tasks(stack)
    links = {name: of.record(f"{ledger.prefix}-{name}") for name in ("link", "link_error")}
    stack.app.signature(task, args=["this"]).apply_async(**links)
    ledger.await_started(1, ANSWER)
    # Whatever is sent now runs after a second callback would have.
    stack.app.send_task("probe.noop").get(timeout=ANSWER)
    calls = ledger.started()
    proof(int(calls != [f"{ledger.prefix}-{called}"]), ", ".join(calls))


def begin(stack: Stack, ledger: Ledger) -> dict[str, AsyncResult]:
    """Send a chain and a chord whose parts take a while, and return when both are half done."""
    of, name = Tasks(stack), ledger.prefix
    sent = {
        "chord": chord(
            [of.record(f"{name}-member-{n}", 0.6) for n in range(3)], of.record(f"{name}-body")
        ).apply_async(),
        "chain": chain(of.record(f"{name}-step-{n}", 0.6) for n in range(3)).apply_async(),
    }
    ledger.await_started(2)
    return sent


def unfinished(sent: dict[str, AsyncResult], seconds: float) -> list[str]:
    """Return which workflows did not come to their end in time."""
    with contextlib.suppress(AssertionError):
        wait_until("the end of all", lambda: all(result.ready() for result in sent.values()), seconds)
    return [name for name, result in sent.items() if not result.successful()]


@promise(
    "workflow-over-worker-restart",
    "A chain and a chord that are half done go on after a restart of the worker.",
    fault="SIGTERM and start of the only worker",
    settings=("celery_stop_timeout", "celery_task_acks_late"),
    unit="workflows unfinished",
    exactly=0,
)
def test_workflows_outlive_a_worker_restart(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    sent = begin(stack, ledger)
    stack.worker.stop()
    stack.worker.start()
    left = unfinished(sent, 45)
    proof(len(left), ", ".join(left))


@promise(
    "workflow-over-worker-kill",
    "A chain and a chord that are half done go on after kill -9 of the worker, once the visibility timeout is over.",
    fault="kill -9 and start of the only worker",
    settings=("celery_task_acks_late", "celery_visibility_timeout"),
    unit="workflows unfinished",
    exactly=0,
)
def test_workflows_outlive_a_worker_kill(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    sent = begin(stack, ledger)
    stack.worker.kill()
    stack.worker.start()
    left = unfinished(sent, 25)
    proof(len(left), ", ".join(left))


@promise(
    "workflow-over-redis-kill",
    "A chain and a chord that are half done go on after kill -9 of Redis.",
    fault="kill -9 and start of Redis",
    settings=("redis_appendonly", "celery_result_backend_always_retry"),
    unit="workflows unfinished",
    exactly=0,
    mutations=(NO_AOF,),
)
def test_workflows_outlive_a_redis_kill(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    sent = begin(stack, ledger)
    stack.redis.kill()
    stack.redis.start()
    stack.await_redis()
    left = unfinished(sent, 12)
    proof(len(left), ", ".join(left))
