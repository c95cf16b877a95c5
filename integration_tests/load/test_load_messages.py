"""Promise: the generator's messages are Celery's own, byte for byte, ids and times aside."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest

from integration_tests.load.cases import CASES
from integration_tests.load.stack import REPOSITORY, Stack
from loadtests.generator.target import VARIABLE

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?\+00:00")
PROCESS = re.compile(r"gen\d+@")
BODY = re.compile(r'(?<="body": ")[^"]+')
APART = 5.0  # seconds by which the same moment may be told differently: between reading the clock and sending

Sent = dict[str, dict[str, Any]]


def send_all(stack: Stack, who: str) -> Sent:
    environment = {**stack.environment, VARIABLE: str(stack.target_file)}
    command = [sys.executable, "-m", "integration_tests.load.send_all", who]
    done = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return {said["case"]: said for said in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def by_celery(served: Stack) -> Sent:
    return send_all(served, "celery")


@pytest.fixture(scope="module")
def by_generator(served: Stack) -> Sent:
    return send_all(served, "generator")


def normal(message: str) -> str:
    """Return a message with its body opened, every id by its number of appearance, and times and processes aside."""
    message = BODY.sub(lambda found: base64.b64decode(found[0]).decode(), message)
    ids: dict[str, str] = {}
    message = UUID.sub(lambda found: ids.setdefault(found[0], f"<id {len(ids)}>"), message)
    return PROCESS.sub("gen<pid>@", TIME.sub("<time>", message))


def moments(sent: dict[str, Any]) -> list[float]:
    """Return the times in a message, in seconds from its sending."""
    return [datetime.fromisoformat(found).timestamp() - sent["at"] for found in TIME.findall(sent["message"])]


@pytest.mark.parametrize("case", CASES)
def test_a_message_is_the_one_that_celery_sends(case: str, by_celery: Sent, by_generator: Sent) -> None:
    theirs, ours = by_celery[case], by_generator[case]
    assert normal(ours["message"]) == normal(theirs["message"])
    assert ours["key"] == theirs["key"]
    assert moments(ours) == pytest.approx(moments(theirs), abs=APART)


def test_the_comparison_tells_messages_apart(by_celery: Sent) -> None:
    different = {(normal(sent["message"]), sent["key"]) for sent in by_celery.values()}
    # priority 0 and no countdown are the plain message; an ETA and a countdown differ in their times only
    assert len(different) == len(CASES) - 3


def test_ids_are_never_used_twice(by_generator: Sent) -> None:
    tasks = [json.loads(sent["message"])["headers"]["id"] for sent in by_generator.values()]
    tags = [json.loads(sent["message"])["properties"]["delivery_tag"] for sent in by_generator.values()]
    assert len({*tasks, *tags}) == 2 * len(CASES)
