"""Recovery on redis-plus: Redis dies and is back at once; workers connect again, none of them ends, and nothing is lost."""

from __future__ import annotations

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from integration_tests.promises import harm
from integration_tests.promises.delivery import PLUS

pytestmark = variant(**PLUS)

PLUSS_OWN = Mutation(
    "channels close as those of celery-redis-plus do",
    "*/etc/celery/celeryconfig.py",
    r"^import closed_channels_plus .*\n",
    "import celery_redis_plus\n",
)
KILLS = 6  # thirty of them are a drill: docs/promises.md


@promise(
    "plus-consumed-again-median",
    "On redis-plus, too, tasks are consumed again within three seconds after kill -9 of Redis, mostly, and never after more than ten.",
    fault=f"kill -9 of Redis, {KILLS} times, started at once",
    settings=("celery_transport", "celery_socket_timeout", "redis_appendonly"),
    unit="s, the median",
    at_most=3,
)
def test_tasks_are_consumed_soon_after_a_kill_on_plus(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    proof(*harm.soon(stack, ledger, KILLS, gap=0))


@promise(
    "plus-worker-outlives-loss",
    "A worker of redis-plus that loses its connection while it runs a task connects again: none of its processes ends.",
    fault="kill -9 of Redis, started at once, while a task runs",
    settings=("celery_transport", "celery_task_acks_late"),
    unit="workers that ended",
    exactly=0,
    mutations=(PLUSS_OWN,),
)
def test_a_worker_outlives_the_loss_on_plus(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    proof(harm.ended_by_a_kill(stack, ledger))
