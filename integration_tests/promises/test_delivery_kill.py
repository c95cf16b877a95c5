"""Delivery under kill -9: what runs is run again, as late acks promise; and what early acks cost."""

from __future__ import annotations

from collections.abc import Callable

from bench.ledger import Ledger
from bench.node import Node
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises.delivery import SLOTS, SOON, at_work, back, settled, told
from integration_tests.waiting import wait_until

pytestmark = variant(**SOON)

# A hard limit that comes before the killed child is noticed, up to 5 s later, ends the task: rule limit-noticed.
NOTICED = {"time_limit": 10, "soft_time_limit": 9}
EARLY = variant(celery_task_acks_late=False)
# Either of the two brings a task back, so both must be gone.
NOT_GIVEN_BACK = Mutation(
    "a lost child's task is neither retried nor rejected",
    "*/etc/celery/celeryconfig.py",
    r"^task_(reject|retry)_on_worker_lost = True$",
    r"task_\1_on_worker_lost = False",
)
EARLY_ACKS = Mutation(
    "early acks", "*/etc/celery/celeryconfig.py", r"^task_acks_late = True$", "task_acks_late = False"
)


def kill_children(worker: Node) -> None:
    """End the pool, as the kernel's OOM killer does."""
    for child in worker.children():
        worker.signal(child)


def kill_main(worker: Node) -> None:
    """End the main process; the restart policy brings the container back."""
    restarts = worker.restarts
    worker.signal(worker.main())
    wait_until("the worker is restarted", lambda: worker.restarts > restarts, 10)


def kill_all(worker: Node) -> None:
    """End everything at once; nobody brings it back."""
    worker.kill()


def lost_by(kill: Callable[[Node], None], stack: Stack, ledger: Ledger, proof: Proof) -> None:
    """Kill what runs twice as many tasks as it has slots; prove how many are lost."""
    at_work(ledger, 2 * SLOTS, **NOTICED)
    kill(stack.worker)
    back(stack, stack.worker)
    verdict = settled(stack, ledger)
    proof(len(verdict.lost), told(verdict))


@promise(
    "late-acks-survive-child-kill",
    "A task whose pool child is killed runs again.",
    fault="kill -9 of every pool child",
    settings=("celery_task_acks_late", "celery_task_reject_on_worker_lost", "celery_task_retry_on_worker_lost"),
    unit="tasks lost",
    exactly=0,
    mutations=(NOT_GIVEN_BACK,),
)
def test_tasks_survive_the_kill_of_their_child(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    lost_by(kill_children, stack, ledger, proof)


@promise(
    "late-acks-survive-main-kill",
    "Tasks of a worker whose main process is killed run again after the visibility timeout.",
    fault="kill -9 of a worker's main process",
    settings=("celery_task_acks_late", "celery_visibility_timeout", "celery_unacked_restore_interval"),
    unit="tasks lost",
    exactly=0,
)
def test_tasks_survive_the_kill_of_the_main_process(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    lost_by(kill_main, stack, ledger, proof)


@promise(
    "late-acks-survive-container-kill",
    "Tasks of a worker that is killed with all its processes run again after the visibility timeout.",
    fault="kill -9 of all processes of a worker",
    settings=("celery_task_acks_late", "celery_visibility_timeout", "celery_unacked_restore_interval"),
    unit="tasks lost",
    exactly=0,
    mutations=(EARLY_ACKS,),
)
def test_tasks_survive_the_kill_of_their_worker(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    lost_by(kill_all, stack, ledger, proof)


@EARLY
@promise(
    "early-acks-survive-child-kill",
    "With early acks, too, a task whose child is killed runs again: the worker that is left retries it.",
    fault="kill -9 of every pool child",
    settings=("celery_task_acks_late", "celery_task_retry_on_worker_lost"),
    unit="tasks lost",
    exactly=0,
)
def test_early_acks_survive_the_kill_of_a_child(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    lost_by(kill_children, stack, ledger, proof)


@EARLY
@promise(
    "early-acks-lose-what-runs",
    "With early acks a killed worker loses what it was running. A known loss: the default is late acks.",
    fault="kill -9 of a worker's main process",
    settings=("celery_task_acks_late",),
    unit=f"of {SLOTS} running tasks lost",
    exactly=SLOTS,
)
def test_early_acks_lose_what_runs(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    lost_by(kill_main, stack, ledger, proof)
