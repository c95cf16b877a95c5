"""Workflows: chains, groups and chords end as they were written, also when a member fails or something dies meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import chain, chord, group
from celery.canvas import Signature

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise
from integration_tests.waiting import wait_until

FORGETFUL = Mutation(
    "results are not kept", "*/etc/celery/celeryconfig.py", r"^task_ignore_result = False", "task_ignore_result = True"
)
Build = Callable[[Stack], Signature]


def add(stack: Stack, *args: int) -> Signature:
    return stack.app.signature("probe.add", args)


def total(stack: Stack) -> Signature:
    return stack.app.signature("probe.sum")


def a_chain(stack: Stack) -> Signature:
    return chain(add(stack, 1, 2), add(stack, 3), add(stack, 4), app=stack.app)


def a_group(stack: Stack) -> Signature:
    return group([add(stack, number, number) for number in range(5)], app=stack.app)


def a_chord(stack: Stack) -> Signature:
    return chord([add(stack, number, number) for number in range(5)], total(stack), app=stack.app)


def a_large_chord(stack: Stack) -> Signature:
    return chord([add(stack, 1, 1) for _ in range(100)], total(stack), app=stack.app)


def a_chain_of_a_chord(stack: Stack) -> Signature:
    return chain(a_chord(stack), add(stack, 5), app=stack.app)


def a_group_of_chains(stack: Stack) -> Signature:
    return group([chain(add(stack, number, 1), add(stack, 1), app=stack.app) for number in range(3)], app=stack.app)


def a_chord_of_chains(stack: Stack) -> Signature:
    chains = [chain(add(stack, number, 1), add(stack, 1), app=stack.app) for number in range(3)]
    return chord(chains, total(stack), app=stack.app)


def immutable_members(stack: Stack) -> Signature:
    return chain(add(stack, 1, 2), stack.app.signature("probe.add", (10, 20), immutable=True), app=stack.app)


WORKFLOWS: dict[Build, Any] = {
    a_chain: 10,
    a_group: [0, 2, 4, 6, 8],
    a_chord: 20,
    a_large_chord: 200,
    a_chain_of_a_chord: 25,
    a_group_of_chains: [2, 3, 4],
    a_chord_of_chains: 9,
    immutable_members: 30,
}


@pytest.mark.parametrize("build", list(WORKFLOWS), ids=lambda build: build.__name__)
@promise(
    "workflow-result",
    "A workflow ends with the result that it was written for.",
    fault="none",
    settings=("celery_task_ignore_result", "celery_result_expires"),
    unit="wrong results",
    exactly=0,
)
def test_a_workflow_ends_with_its_result(stack: Stack, proof: Proof, build: Build) -> None:
    result = build(stack).apply_async()
    proof(result.get(timeout=20) != WORKFLOWS[build], build.__name__)


@promise(
    "chord-needs-results",
    "A chord's body runs once all members have their results.",
    fault="none",
    settings=("celery_task_ignore_result",),
    unit="chords that never ended",
    exactly=0,
    mutations=(FORGETFUL,),
)
def test_the_body_of_a_chord_runs(stack: Stack, proof: Proof) -> None:
    result = a_chord(stack).apply_async()
    ended = 0
    try:
        ended = result.get(timeout=4) == 20
    except Exception as error:  # whatever it is: the chord has not ended
        proof(1, type(error).__name__)
    proof(not ended)


@promise(
    "chord-failure-told",
    "Where a member of a chord fails, the body does not run, and the sender is told which member it was.",
    fault="a member that fails",
    settings=("celery_task_ignore_result",),
    unit="bodies run",
    exactly=0,
)
def test_a_failing_member_is_told_and_the_body_left_out(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    body = stack.app.signature("probe.record", kwargs={"entry": f"{ledger.prefix}-body"}, immutable=True)
    members = [add(stack, 1, 1), stack.app.signature("probe.fail", ("on purpose",)), add(stack, 2, 2)]
    with pytest.raises(Exception, match="on purpose"):  # the member's own, which the chord's names
        chord(members, body, app=stack.app).apply_async().get(timeout=10)
    proof(len(ledger.started()))


@promise(
    "callbacks-called",
    "What is linked is called: on success with the result, on error with the failure.",
    fault="a task that succeeds, and one that fails",
    settings=("celery_task_ignore_result",),
    unit="callbacks not called",
    exactly=0,
)
def test_callbacks_are_called(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    def noted(name: str) -> Signature:
        return stack.app.signature("probe.record", kwargs={"entry": f"{ledger.prefix}-{name}"}, immutable=True)

    stack.app.send_task("probe.add", (1, 2), link=noted("linked"))
    stack.app.send_task("probe.fail", link_error=noted("failed"))
    wanted = {f"{ledger.prefix}-linked", f"{ledger.prefix}-failed"}
    wait_until("both callbacks", lambda: wanted <= set(ledger.finished()), 10)
    proof(len(wanted - set(ledger.finished())))


@pytest.mark.parametrize("build", [a_chain, a_chord], ids=lambda build: build.__name__)
@pytest.mark.parametrize("fault", ["worker restarted", "worker killed", "Redis killed"])
@promise(
    "workflow-survives",
    "A workflow that is under way ends with its result, though a worker is restarted or killed, or Redis is.",
    fault="a warm restart, kill -9 of the worker's container, kill -9 of Redis, between two members",
    settings=("celery_task_acks_late", "redis_appendonly", "celery_visibility_timeout"),
    unit="workflows that did not end",
    exactly=0,
)
def test_a_workflow_survives(stack: Stack, ledger: Ledger, proof: Proof, build: Build, fault: str) -> None:
    slow = stack.app.signature("probe.record", kwargs={"entry": f"{ledger.prefix}-member", "seconds": 0.5})
    after = [add(stack, number, number).set(immutable=True) for number in range(3)]
    workflow = (
        chain(slow, *after, app=stack.app)
        if build is a_chain
        else chord([slow.clone(), *after], stack.app.signature("probe.add", (2, 2), immutable=True), app=stack.app)
    )
    result = workflow.apply_async()
    ledger.await_started()
    if fault == "worker restarted":
        stack.worker.stop()
        stack.worker.start()
    elif fault == "worker killed":
        stack.worker.kill()
        stack.worker.start()
    else:
        stack.redis.kill()
        stack.redis.start()
        stack.await_redis()
    proof(result.get(timeout=30) != 4, fault)
