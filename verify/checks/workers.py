"""Are the workers that the settings promise there, and as the settings describe them?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from verify.checks.worker_limits import CHILDREN, LIMITS, children, limits
from verify.checks.worker_state import CONFIG, POOL, PREFETCH, QUEUES, config, pool, prefetch, queues
from verify.context import Target, open_gates
from verify.expected import ExpectedWorker
from verify.inspection import ASKED, REPLY, Inspection, answering, inspect
from verify.model import Hint, Outcome, Promise, Row, broken, kept, unchecked
from verify.words import plural, seconds

ALIVE = Promise("workers.alive", "answers over remote control", ("celery_workers",), "the process it answered from")
RELEASE = Promise(
    "workers.release",
    "runs the release of the settings",
    ("celery_source", "celery_requirements"),
    "release",
)
STRANGERS = Promise(
    "workers.strangers", "nobody else takes tasks from the broker", ("celery_workers",), "workers that answer"
)
PROMISES = (ALIVE, QUEUES, POOL, PREFETCH, LIMITS, CHILDREN, CONFIG, RELEASE, STRANGERS)


def check(target: Target, gates: Iterable[Row]) -> tuple[Inspection, dict[str, Row]]:
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
        row = alive[worker.node] = board.judge(ALIVE, worker.node, ask, needs=gates, explained_by=target.servers)
        judge = partial(board.judge, needs=(row,), explained_by=target.servers)
        judge(QUEUES, worker.node, partial(queues, target, worker, found))
        judge(POOL, worker.node, partial(pool, target, worker, found))
        judge(PREFETCH, worker.node, partial(prefetch, target, worker, found))
        if worker.pool == "prefork":
            judge(LIMITS, worker.node, partial(limits, target, worker, found))
            judge(CHILDREN, worker.node, partial(children, target, worker, found))
        judge(CONFIG, worker.node, partial(config, target, worker, found))
    return found, alive


def strangers(target: Target, gates: Iterable[Row]) -> list[Row]:
    """Judge whether workers answer that the settings do not name, or two by one name."""
    if not target.application.workers:
        return []
    ask = partial(_strangers, target)
    name = target.application.name
    return [target.board.judge(STRANGERS, name, ask, needs=gates, explained_by=target.servers)]


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
            found.error or f"it did not answer within {seconds(ASKED * REPLY)}",
            f"its log: {look}",
            target.words.make("deploy") + ", which starts what shall run",
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
