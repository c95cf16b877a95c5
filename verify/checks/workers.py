"""Are the workers that the settings promise there, and as the settings describe them?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from verify.checks.worker_limits import CHILDREN, LIMITS, children, limits
from verify.context import Target, open_gates
from verify.expected import ExpectedWorker
from verify.inspection import REPLY, Inspection, answering, inspect
from verify.model import Hint, Outcome, Promise, Row, broken, kept, unchecked
from verify.words import plural, seconds

ALIVE = Promise("workers.alive", "answers over remote control", ("celery_workers",), "the process it answered from")
QUEUES = Promise("workers.queues", "consumes exactly its queues", ("celery_workers",), "the queues")
POOL = Promise(
    "workers.pool", "runs the pool and the concurrency of the settings", ("celery_workers",), "pool and slots"
)
PREFETCH = Promise(
    "workers.prefetch",
    "reserves as many messages as the settings say",
    ("celery_worker_prefetch_multiplier", "celery_workers"),
    "messages",
)
CONFIG = Promise("workers.config", "runs with the configuration of the settings", ("celery_*",), "settings compared")
RELEASE = Promise(
    "workers.release",
    "runs the release that the settings describe",
    ("celery_source", "celery_requirements"),
    "release",
)
STRANGERS = Promise(
    "workers.strangers", "nobody else takes tasks from the broker", ("celery_workers",), "workers that answer"
)
PROMISES = (ALIVE, QUEUES, POOL, PREFETCH, LIMITS, CHILDREN, CONFIG, RELEASE, STRANGERS)

MASKED = "********"  # Celery hides what looks like a secret
IMPLEMENTATIONS = {"thread": "threads"}  # Celery's module → the name of the pool


def check(target: Target, gates: Sequence[Row]) -> tuple[Inspection, dict[str, Row]]:
    """Judge every worker; return what they said, and node → the row that tells whether it lives."""
    application, board = target.application, target.board
    found = Inspection()
    remote = all(host.celery.worker_enable_remote_control for host in application.hosts)
    if remote and open_gates(gates):
        found = inspect(target.client, [worker.node for worker in application.workers])
    alive = {}
    for worker in application.workers:
        ask = (
            partial(_alive, target, worker, found)
            if remote
            else lambda: unchecked("celery_worker_enable_remote_control is false")
        )
        row = alive[worker.node] = board.judge(ALIVE, worker.node, ask, needs=gates)
        judge = partial(board.judge, needs=(row,))
        judge(QUEUES, worker.node, partial(_queues, target, worker, found))
        judge(POOL, worker.node, partial(_pool, target, worker, found))
        judge(PREFETCH, worker.node, partial(_prefetch, target, worker, found))
        if worker.pool == "prefork":
            judge(LIMITS, worker.node, partial(limits, target, worker, found))
            judge(CHILDREN, worker.node, partial(children, target, worker, found))
        judge(CONFIG, worker.node, partial(_config, target, worker, found))
    return found, alive


def strangers(target: Target, gates: Sequence[Row]) -> list[Row]:
    """Judge whether workers answer that the settings do not name, or two by one name."""
    if not target.application.workers:
        return []
    return [target.board.judge(STRANGERS, target.application.name, partial(_strangers, target), needs=gates)]


def release(target: Target, worker: ExpectedWorker, seen: dict[str, Any], needs: Sequence[Row]) -> None:
    """Judge the release that a worker's canary told."""

    def ask() -> Outcome:
        if worker.node not in seen:
            return unchecked("no canary reached it: other workers took them from its queues")
        running = seen[worker.node]
        if not worker.release or running == worker.release:
            return kept(str(running))
        return broken(
            str(running),
            Hint(
                f"it runs {running}, and the settings describe {worker.release}",
                "whether the source was changed since the deploy",
                target.words.make("deploy"),
            ),
        )

    target.board.judge(RELEASE, worker.node, ask, needs=needs)


def _alive(target: Target, worker: ExpectedWorker, found: Inspection) -> Outcome:
    if worker.node in found.stats:
        stats = found.stats[worker.node]
        return kept(f"pid {stats.get('pid')}, up {stats.get('uptime', 0)} s")
    look = target.words.service(worker.host, f"celery-worker-{worker.unit}")
    return broken(
        "no answer",
        Hint(
            f"it did not answer within {seconds(REPLY)}",
            f"its log: {look}",
            target.words.make("deploy") + ", which starts what shall run",
        ),
    )


def _queues(target: Target, worker: ExpectedWorker, found: Inspection) -> Outcome:
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


def _pool(target: Target, worker: ExpectedWorker, found: Inspection) -> Outcome:
    stats = found.stats[worker.node]
    pool = stats["pool"]
    module = str(pool.get("implementation", "")).split(":", maxsplit=1)[0].rsplit(".", maxsplit=1)[-1]
    # The children of a prefork pool are counted: it tells its first size even after `control pool_grow`.
    children = pool.get("processes") if worker.pool == "prefork" else None
    name, slots = (
        IMPLEMENTATIONS.get(module, module),
        len(children) if children is not None else pool.get("max-concurrency"),
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


def _prefetch(target: Target, worker: ExpectedWorker, found: Inspection) -> Outcome:
    stats = found.stats[worker.node]
    count = stats.get("prefetch_count")
    top = worker.slots * worker.prefetch_multiplier
    low = worker.autoscale[1] * worker.prefetch_multiplier if worker.autoscale else top
    # A message with an ETA does not count against the slots: the worker raises its prefetch by one for each.
    waiting = 0
    if isinstance(count, int) and count > top > 0:
        waiting = len(target.ask_nodes("scheduled", [worker.node]).get(worker.node) or [])
    if isinstance(count, int) and low <= count <= top + waiting:
        return kept(plural(count, "message") if count else "without bound")
    return broken(
        str(count),
        Hint(
            f"{count} are reserved, and {top} are due ({worker.slots} x {worker.prefetch_multiplier})",
            "whether the worker lost its broker: it reserves less until what ran then has ended",
            "restart the worker if it stays",
        ),
    )


def _same(running: Any, due: Any) -> bool:
    if isinstance(running, int | float) and isinstance(due, int | float):
        return float(running) == float(due)
    return bool(running == due) or (due in (0, None) and running in (0, None))


def _config(target: Target, worker: ExpectedWorker, found: Inspection) -> Outcome:
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


def _strangers(target: Target) -> Outcome:
    queues = set(target.application.queues)
    replies = Counter(answering(target.client))
    doubled = sorted(node for node, count in replies.items() if count > 1)
    unknown = sorted(node for node in replies if node not in target.nodes)
    consumed = target.ask_nodes("active_queues", unknown)
    thieves = [node for node in unknown if node not in consumed or queues & {queue["name"] for queue in consumed[node]}]
    others = f", {plural(len(unknown), 'worker')} of other applications" if unknown else ""
    if not thieves and not doubled:
        return kept(plural(len(replies) - len(unknown), "worker") + others)
    found = [
        *(f"{node} is not in the settings" for node in thieves),
        *(f"{node} answers {replies[node]} times" for node in doubled),
    ]
    first = (thieves + doubled)[0]
    return broken(
        ", ".join(thieves + doubled),
        Hint(
            "; ".join(found),
            "who started it: it takes tasks and may run other code",
            f"celery control shutdown -d {first}",
        ),
    )
