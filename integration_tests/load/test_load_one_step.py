"""Results that are stored in one step (decision 023) are what Celery stores: kept, announced, and a success for good.

Against a real Redis with the rights of a worker, in a process that is configured by the staged files.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.profiles.stack import shipped, staged
from integration_tests.load.stack import START, Stack

# Stores states one after the other, and prints how.
PROGRAM = """
import sys
from tasks.app import app

app.finalize()
app.conf.task_acks_late  # a worker reads its configuration long before it stores anything
for state in sys.argv[2:]:
    app.backend.store_result(sys.argv[1], ValueError("no") if state in ("FAILURE", "RETRY") else {"of": state}, state)
print(type(app.backend).__module__)
"""


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[bool, Stack]]:
    """Two stacks: in one step, and as Celery does it."""
    found = {
        one_step: staged(
            tmp_path_factory.mktemp("stack") / "s", celery_profile="throughput", celery_one_step_results=one_step
        )
        for one_step in (True, False)
    }
    with found[True].redis_server(), found[False].redis_server():
        yield found


def stored(stack: Stack, task: str, *states: str) -> tuple[dict[str, Any], int, list[str], str]:
    """Store states; return what is kept, for how many seconds, what was announced, and the module that did it."""
    asker: Any = stack.redis("admin")
    key = f"celery-task-meta-{task}"
    listener: Any = stack.redis("producer")
    with listener.pubsub() as heard:
        heard.subscribe(key)
        assert heard.get_message(timeout=START)["type"] == "subscribe"
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, task, *states],
            env=dict(shipped(stack).environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        announced = []
        while message := heard.get_message(timeout=1):
            announced.append(json.loads(message["data"])["status"])
    return json.loads(listener.get(key)), asker.ttl(key), announced, done.stdout.strip()


@pytest.mark.parametrize(
    ("states", "kept", "announced"),
    [
        (["SUCCESS"], "SUCCESS", ["SUCCESS"]),
        (["FAILURE"], "FAILURE", ["FAILURE"]),
        (["SUCCESS", "FAILURE"], "SUCCESS", ["SUCCESS"]),
        (["FAILURE", "SUCCESS"], "SUCCESS", ["FAILURE", "SUCCESS"]),
        (["STARTED", "SUCCESS"], "SUCCESS", ["STARTED", "SUCCESS"]),
        (["RETRY", "RETRY", "FAILURE"], "FAILURE", ["RETRY", "RETRY", "FAILURE"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else value,
)
def test_a_result_is_what_celery_would_have_stored(
    stacks: dict[bool, Stack], states: list[str], kept: str, announced: list[str]
) -> None:
    """The same record but for its time, the same life, the same announcements; a success is not overwritten."""
    task = "-".join(states)
    ours, theirs = (stored(stacks[one_step], task, *states) for one_step in (True, False))
    assert (ours[3], theirs[3]) == ("one_step_results", "celery.backends.redis")
    for meta, left, heard, _ in (ours, theirs):
        assert meta["status"] == kept
        assert heard == announced
        assert 86_300 < left <= 86_400
    assert {**ours[0], "date_done": ""} == {**theirs[0], "date_done": ""}
    assert [stack.redis("admin").acl_log() for stack in stacks.values()] == [[], []]
