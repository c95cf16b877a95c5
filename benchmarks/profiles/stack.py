"""Redis and workers as a profile ships them, and Celery's defaults beside them on the same Redis."""

from __future__ import annotations

import configparser
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery import Celery

from integration_tests.load.stack import REPOSITORY, START, Stack
from integration_tests.waiting import wait_until

QUEUE = "celery"  # Celery's own default, and ours
COMMON: dict[str, Any] = {"process_manager": "supervisor", "redis_bind": ["127.0.0.1"], "redis_appendonly": True}
# Celery's defaults, but for the safety that the profiles keep.
PLAIN = """\
imports = ["tasks.probe"]
task_acks_late = True
task_reject_on_worker_lost = True
"""


@dataclass(frozen=True)
class Side:
    """How the workers of one side are started, and what their clients are configured with."""

    name: str
    commands: list[list[str]]
    environment: Mapping[str, str]


Place = tuple[Stack, Side]


def staged(folder: Path, **settings: Any) -> Stack:
    """Stage an inventory of one host below a folder, with this checkout in place of a release."""
    stack = Stack(folder, {**COMMON, **settings})
    stack.stage()
    current = stack.root / "opt/celery/current"
    current.mkdir(parents=True)
    (current / "venv").symlink_to(sys.prefix)
    (current / "app").symlink_to(REPOSITORY)
    (stack.root / "var/lib/celery").mkdir(parents=True, exist_ok=True)
    return stack


def shipped(stack: Stack) -> Side:
    """Return the workers of the staged files: their very commands, and their environment."""
    commands = []
    for file in sorted((stack.root / "etc/supervisor/conf.d").glob("celery-worker-*.conf")):
        program = configparser.RawConfigParser()
        program.read(file, encoding="utf-8")
        (section,) = program.sections()
        commands.append(shlex.split(program[section]["command"].replace("%%", "%")))
    path = f"{stack.root}/etc/celery:{stack.root}/opt/celery/current/app"
    return Side("ours", commands, {**stack.environment, "PYTHONPATH": path})


def plain(stack: Stack, **more: Any) -> Side:
    """Return one worker with Celery's defaults, but for what is named, on the same Redis."""
    folder = stack.folder / "-".join(("plain", *more))
    folder.mkdir(exist_ok=True)
    folder.joinpath("celeryconfig.py").write_text(
        PLAIN + "".join(f"{key} = {value!r}\n" for key, value in more.items()), encoding="utf-8"
    )
    command = [sys.executable, "-m", "celery", "--app", "tasks.app:app", "worker"]
    return Side("defaults", [command], {**stack.environment, "PYTHONPATH": f"{folder}:{REPOSITORY}"})


@contextmanager
def workers(stack: Stack, side: Side) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run a side's workers until the end of the block; all answer when it begins."""
    with ExitStack() as running:
        log = stack.folder / f"{side.name}.log"
        processes = [running.enter_context(_running(command, log, side.environment)) for command in side.commands]
        asker = Celery("asker", broker=stack.target("control").broker, set_as_current=False)
        running.callback(asker.close)
        wait_until("the workers answer", lambda: len(asker.control.ping(timeout=0.5)) == len(processes), START)
        yield processes


@contextmanager
def _running(command: list[str], log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker in a group of its own, and kill the group: children that outlive their parent would load the next."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=REPOSITORY,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
