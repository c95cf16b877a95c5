"""Delivery over a stop by supervisor: the rendered program, run by supervisor itself in the worker's image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import supervisor

from bench.ledger import Ledger
from bench.node import Node
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.delivery import SLOTS, SOON, at_work, harmed, settled, told

# Supervisor starts as root and gives it up for `celery_user`; staged files are those of who staged them.
pytestmark = variant(
    process_manager="supervisor",
    celery_user="root",
    celery_group="root",
    # Supervisor refuses to start where it may not open as many files as its programs are promised.
    celery_workers=[{"name": "main", "queues": ["fast", "slow"], "concurrency": SLOTS, "limit_nofile": 1024}],
    **SOON,
)

PACKAGE = Path(supervisor.__file__).parent
THERE = "/opt/supervisor"  # for the tests only: its image has no need of it
SUPERVISOR = ("env", f"PYTHONPATH={THERE}", "python3", "-m")
CONFIG = "/etc/supervisor/supervisord.conf"
PROGRAM = "celery-worker-main-1"
TO_THE_GROUP = Mutation(
    "SIGTERM goes to the children, too",
    f"*/etc/supervisor/conf.d/{PROGRAM}.conf",
    r"^stopasgroup=false",
    "stopasgroup=true",
)


@pytest.fixture
def manager(stack: Stack) -> Iterator[Node]:
    """Supervisor in place of the container that runs the worker alone."""
    worker = stack.worker
    worker.kill()
    service = replace(
        worker.service,
        name="supervisord",
        user="0:0",
        command=(*SUPERVISOR, "supervisor.supervisord", "--nodaemon", "--configuration", CONFIG),
    )
    folder = stack.staged.host(worker.host.name)
    mounts = (
        (PACKAGE, f"{THERE}/supervisor", "ro"),
        (folder / "etc/supervisor", "/etc/supervisor", "ro"),
        (folder / "var/log", "/var/log", "rw"),
    )
    node = Node(stack.run, worker.host, service, mounts)
    yield node
    node.remove()


def control(manager: Node, *words: str) -> str:
    """Run supervisorctl as an operator does."""
    return manager.execute(*SUPERVISOR, "supervisor.supervisorctl", "--configuration", CONFIG, *words).output


@promise(
    "supervisor-stop-finishes-what-runs",
    "A worker that supervisor stops finishes what it runs and gives back the rest: nothing is lost or run twice.",
    fault="supervisorctl stop",
    settings=("process_manager", "celery_stop_timeout"),
    unit="tasks lost or run twice",
    exactly=0,
    mutations=(TO_THE_GROUP,),
)
def test_supervisor_stops_a_worker_warm(stack: Stack, ledger: Ledger, proof: Proof, manager: Node) -> None:
    at_work(ledger)
    said = control(manager, "stop", PROGRAM)
    assert "stopped" in said, said
    stack.worker.start()
    stack.await_workers()
    verdict = settled(stack, ledger)
    proof(harmed(verdict), told(verdict))
