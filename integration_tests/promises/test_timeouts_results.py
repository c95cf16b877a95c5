"""Results live as long as the setting says, and no longer."""

from __future__ import annotations

import time

from bench.stack import Stack
from engine.waiting import await_truth
from integration_tests.promise import Proof, promise
from integration_tests.promises.outcomes import outcomes, send
from integration_tests.promises.short import EXPIRES, SHORT


@SHORT
@promise(
    "results-expire",
    "A result is gone when it has expired: results do not fill the memory.",
    fault="none",
    settings=("celery_result_expires",),
    unit="s from the end of the task until its result is gone",
    at_least=EXPIRES - 0.5,
    at_most=EXPIRES + 1.5,
)
def test_results_expire(stack: Stack, proof: Proof) -> None:
    began = time.monotonic()
    sent = send(stack, "probe.echo", payload=1)
    assert outcomes(stack, [sent], 3)
    key = stack.app.backend.get_key_for_task(sent)
    with stack.client(user="worker") as client:
        await_truth("the end of the result", lambda: not client.exists(key), EXPIRES + 3)
    proof(time.monotonic() - began)
