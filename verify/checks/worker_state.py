"""Are the workers as the settings describe them: queues, pool, prefetch, configuration?"""

from __future__ import annotations

from typing import Any

from verify.context import Target
from verify.expected import ExpectedWorker
from verify.inspection import Inspection
from verify.model import Hint, Outcome, Promise, broken, kept, unchecked
from verify.words import plural

QUEUES = Promise("workers.queues", "consumes exactly its queues", ("celery_workers",), "the queues")
POOL = Promise("workers.pool", "has the pool and slots of the settings", ("celery_workers",), "pool and slots")
PREFETCH = Promise(
    "workers.prefetch",
    "reserves as many messages as it shall",
    ("celery_worker_prefetch_multiplier", "celery_workers"),
    "messages",
)
CONFIG = Promise("workers.config", "runs with the configuration of the settings", ("celery_*",), "settings compared")

MASKED = "********"  # Celery hides what looks like a secret
IMPLEMENTATIONS = {"thread": "threads"}  # Celery's module → the name of the pool


def queues(target: Target, worker: ExpectedWorker, found: Inspection) -> Outcome:
    """Compare the queues that it consumes."""
    consumed, due = sorted(found.queues.get(worker.node, [])), sorted(worker.queues)
    if consumed == due:
        return kept(", ".join(due))
    return broken(
        ", ".join(consumed) or "none",
        Hint(
            f"it consumes {consumed or 'nothing'}, and {due} are due",
            "whether somebody used `celery control add_consumer` or cancel_consumer",
            target.words.make("deploy") + ", or restart the worker",
        ),
    )


def pool(target: Target, worker: ExpectedWorker, found: Inspection) -> Outcome:
    """Compare the pool and its size, or its bounds with autoscale."""
    stats = found.stats[worker.node]
    size = stats["pool"]
    module = str(size.get("implementation", "")).split(":", maxsplit=1)[0].rsplit(".", maxsplit=1)[-1]
    # The children of a prefork pool are counted: it tells its first size even after `control pool_grow`.
    children = size.get("processes") if worker.pool == "prefork" else None
    name, slots = (
        IMPLEMENTATIONS.get(module, module),
        len(children) if children is not None else size.get("max-concurrency"),
    )
    scaler = stats.get("autoscaler")
    if worker.autoscale:
        running: tuple[Any, ...] = (name, (scaler or {}).get("max"), (scaler or {}).get("min"))
        due: tuple[Any, ...] = (worker.pool, *worker.autoscale)
        figure = f"{name}, {running[2]} to {running[1]}"
    else:
        running, due = (name, slots), (worker.pool, worker.slots)
        figure = f"{name}, {plural(int(slots or 0), 'slot')}"
    if running == due and bool(scaler) == bool(worker.autoscale):
        return kept(figure)
    return broken(
        figure,
        Hint(
            f"{running} runs, and {due} is due",
            "whether somebody used `celery control pool_grow` or autoscale",
            target.words.make("deploy") + ", or restart the worker",
        ),
    )


def prefetch(target: Target, worker: ExpectedWorker, found: Inspection) -> Outcome:
    """Compare what it reserves; with autoscale that moves with the pool."""
    stats = found.stats[worker.node]
    count = stats.get("prefetch_count")
    top = worker.slots * worker.told_prefetch
    low = worker.autoscale[1] * worker.told_prefetch if worker.autoscale else top
    # A message with an ETA does not count against the slots: the worker raises its prefetch by one for each.
    waiting = 0
    if isinstance(count, int) and count > top > 0:
        waiting = len(target.ask_nodes("scheduled", [worker.node]).get(worker.node) or [])
    if isinstance(count, int) and low <= count <= top + waiting:
        return kept(plural(count, "message") if count else "without bound")
    return broken(
        str(count),
        Hint(
            f"{count} are reserved, and {top} are due ({worker.slots} x {worker.told_prefetch})",
            "whether the worker lost its broker: it reserves less until what ran then has ended",
            "restart the worker if it stays",
        ),
    )


def _same(running: Any, due: Any) -> bool:
    if isinstance(running, int | float) and isinstance(due, int | float):
        return float(running) == float(due)
    return bool(running == due) or (due in (0, None) and running in (0, None))


def config(target: Target, worker: ExpectedWorker, found: Inspection) -> Outcome:
    """Compare the configuration that it runs with, without what Celery hides."""
    running = found.config.get(worker.node)
    if not isinstance(running, dict) or "error" in running:
        return unchecked("it did not tell its configuration")
    compared = {key: due for key, due in worker.config.items() if running.get(key) != MASKED}
    differing = [key for key, due in compared.items() if not _same(running.get(key), due)]
    if not differing:
        return kept(f"{plural(len(compared), 'setting')} as written")
    shown = "; ".join(f"{key} is {running.get(key)!r} and not {compared[key]!r}" for key in differing[:5])
    return broken(
        f"{plural(len(differing), 'setting')} differ",
        Hint(
            shown, "whether it was restarted since the deploy", target.words.make("deploy") + ", or restart the worker"
        ),
    )
