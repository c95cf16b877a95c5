"""Do the worker processes enforce the limits of the settings? Only prefork pools are promised any."""

from __future__ import annotations

from verify.context import Target
from verify.expected import ExpectedWorker
from verify.inspection import Inspection
from verify.model import Hint, Outcome, Promise, broken, kept

LIMITS = Promise(
    "workers.limits",
    "enforces the time limits of the settings",
    ("celery_task_time_limit", "celery_task_soft_time_limit", "celery_workers"),
    "soft and hard limit",
)
CHILDREN = Promise(
    "workers.children",
    "replaces a child after so many tasks",
    ("celery_worker_max_tasks_per_child", "celery_workers"),
    "tasks",
)


def _shown(limit: float | None) -> str:
    return f"{limit:g} s" if limit else "none"


def limits(target: Target, worker: ExpectedWorker, found: Inspection) -> Outcome:
    """Compare the limits that hold for a task: one of the configuration overrules that of the worker.

    (celery 5.7, worker/request.py, execute_using_pool: a task takes `task_time_limit` before the pool's own.)
    """
    timeouts = [*found.stats[worker.node]["pool"].get("timeouts", ()), None, None]
    config = found.config.get(worker.node, {})
    soft = config.get("task_soft_time_limit") or timeouts[0] or None
    hard = config.get("task_time_limit") or timeouts[1] or None
    figure = f"soft {_shown(soft)}, hard {_shown(hard)}"
    if (soft, hard) == (worker.soft_time_limit, worker.time_limit):
        return kept(figure)
    due = f"soft {_shown(worker.soft_time_limit)}, hard {_shown(worker.time_limit)}"
    return broken(
        figure,
        Hint(
            f"{figure} hold, and {due} are due",
            "its command line, and whether somebody used `celery control time_limit`",
            target.words.make("deploy") + ", or restart the worker",
        ),
    )


def children(target: Target, worker: ExpectedWorker, found: Inspection) -> Outcome:
    """Compare the number of tasks after which a child is replaced."""
    said = found.stats[worker.node]["pool"].get("max-tasks-per-child")
    running = said if isinstance(said, int) else None
    if running == worker.max_tasks_per_child:
        return kept(f"{running} tasks" if running else "never")
    return broken(
        f"{running}",
        Hint(
            f"{running} holds, and {worker.max_tasks_per_child} is due",
            "its command line",
            target.words.make("deploy") + ", or restart the worker",
        ),
    )
