"""Does a task that is put on a queue come back?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from verify.answer import Answer
from verify.checks.workers import release
from verify.context import PATIENCE, Target, open_gates
from verify.expected import PROBES, ExpectedWorker
from verify.inspection import Inspection
from verify.model import Hint, Outcome, Promise, Row, Status, broken, kept, unchecked
from verify.threads import together
from verify.words import plural, seconds

CANARY = Promise(
    "queues.canary",
    "a task runs and its result comes back",
    ("celery_queues", "celery_workers"),
    "round trip and backlog",
)
PROMISES = (CANARY,)

WHOAMI = "probe.whoami"
# Idle workers take turns at a queue (BRPOP serves who has waited longest), so that a few canaries reach them all.
PER_WORKER, MOST = 2, 64
NO_PROBES = f"the application does not import {PROBES}: add it to celery_imports to have its queues proven"


@dataclass
class Canaries:
    """What came back from the queues."""

    rows: dict[str, Row] = field(default_factory=dict)  # queue → its row
    releases: dict[str, Any] = field(default_factory=dict)  # node → the release it told
    first: dict[str, Answer] = field(default_factory=dict)  # queue → an answer that came


def check(
    target: Target, found: Inspection, alive: dict[str, Row], gates: Iterable[Row], explained_by: Iterable[Row]
) -> Canaries:
    """Send canaries to every queue at once and judge what comes back.

    Args:
        target: the application.
        found: what its workers say.
        alive: node → whether it lives.
        gates: rows without which nothing can be sent.
        explained_by: rows whose failure explains a canary that does not return.
    """
    canaries = Canaries()
    board, application = target.board, target.application

    def queue(name: str, workers: Sequence[ExpectedWorker]) -> None:
        ask = partial(_round_trip, target, name, workers, found, canaries)
        canaries.rows[name] = board.judge(CANARY, name, ask, needs=gates, explained_by=explained_by)

    if not application.probes:
        for name in application.queues:
            canaries.rows[name] = board.add(Row(CANARY, name, unchecked(NO_PROBES)))
    elif open_gates(gates):
        together([partial(queue, name, workers) for name, workers in application.queues.items()])
    else:
        for name, workers in application.queues.items():
            queue(name, workers)
    for worker in application.workers:
        rows = [canaries.rows[name] for name in worker.queues]
        served = [row for row in rows if row.status is Status.PASSED] or rows
        release(target, worker, canaries.releases, [alive[worker.node], *served[:1]])
    return canaries


def backlog(target: Target, name: str) -> int:
    """Return the messages of all priorities that wait in a queue.

    Raises:
        redis.RedisError: if the broker cannot be reached.
    """
    with target.client.connection_or_acquire() as connection:
        return int(connection.default_channel._size(name))


def _round_trip(
    target: Target, name: str, workers: Sequence[ExpectedWorker], found: Inspection, canaries: Canaries
) -> Outcome:
    units = ", ".join(worker.node for worker in workers) or "no worker of the settings"
    consumers = [node for node in found.alive if name in found.queues.get(node, ())]
    remote = target.application.settings.worker_enable_remote_control
    if remote and not consumers and not found.error:
        waiting = backlog(target, name)
        look = (
            target.words.service(workers[0].host, f"celery-worker-{workers[0].unit}") if workers else "celery_workers"
        )
        return broken(
            f"nobody consumes it, {waiting} waiting",
            Hint(
                f"no worker that answers consumes it; {units} should",
                look,
                target.words.make("deploy") + ", which starts what shall run",
            ),
        )
    waiting = backlog(target, name)
    sent = [target.answers.send(WHOAMI, name) for _ in range(min(MOST, PER_WORKER * max(1, len(workers))))]
    target.answers.wait(sent, PATIENCE)
    returned = [answer for answer in sent if answer.ok]
    for answer in returned:
        canaries.releases[answer.value["worker"]] = answer.value["release"]
    if len(returned) == len(sent):
        canaries.first[name] = returned[0]
        return kept(f"{seconds(min(answer.elapsed for answer in returned))}, {waiting} waiting")
    return _why(target, name, workers, sent, units)


def _why(target: Target, name: str, workers: Sequence[ExpectedWorker], sent: Sequence[Answer], units: str) -> Outcome:
    """Say why canaries did not return: refused, expired, busy or stuck."""
    log = target.words.service(workers[0].host, f"celery-worker-{workers[0].unit}") if workers else "celery_workers"
    failed = next((answer for answer in sent if answer.failure), None)
    if failed and "NotRegistered" in failed.failure:
        return broken(
            "unknown task",
            Hint(
                f"{failed.failure}; celery_imports names {PROBES}",
                "whether the release that runs is the deployed one",
                target.words.make("deploy"),
            ),
        )
    if failed:
        return broken("failed", Hint(failed.failure, log, target.words.make("deploy")))
    if any(answer.state == "REVOKED" for answer in sent):
        return broken(
            "expired",
            Hint(
                "the worker took it for expired",
                "whether the clocks of this machine and of its workers agree",
                "timedatectl on both",
            ),
        )
    if target.answers.error:
        return broken(
            "no results", Hint(target.answers.error, "whether Redis still answers", target.words.make("verify"))
        )
    # without our own: a canary that cannot end is what has to be told
    replies = target.ask_nodes("active", [worker.node for worker in workers])
    active = {node: sum(not target.answers.ours(task["id"]) for task in tasks) for node, tasks in replies.items()}
    slots = {worker.node: worker.slots for worker in workers}
    waiting = backlog(target, name)
    if active and all(count >= slots[node] for node, count in active.items()):
        return unchecked(
            f"all {plural(sum(slots[node] for node in active), 'slot')} of {', '.join(active)} are busy and {waiting} wait: verify again when it is quieter"
        )
    return broken(
        f"no answer, {waiting} waiting",
        Hint(
            f"{len(sent)} canaries and no answer within {seconds(PATIENCE)}; {units} should take them",
            log,
            f"restart the worker, then {target.words.make('verify')}",
        ),
    )
