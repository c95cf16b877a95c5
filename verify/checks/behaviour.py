"""Do live workers retry, expire, repeat and forget as the settings promise?"""

from __future__ import annotations

import datetime
import itertools
from functools import partial
from typing import Any
from uuid import uuid4

from verify.checks import limits, priority, workflows
from verify.checks.queues import WHOAMI, Canaries
from verify.checks.stage import Stage
from verify.context import PATIENCE
from verify.inspection import Inspection
from verify.model import Hint, Outcome, Promise, broken, kept, unchecked
from verify.threads import together
from verify.words import plural

RETRY = Promise(
    "behaviour.retry",
    "a retry comes after the delay it asks for",
    ("celery_visibility_timeout",),
    "asked and measured delays",
)
EXPIRED = Promise("behaviour.expired", "a task that expired is not run", ("celery_beat_schedule",), "its end")
RESULT_EXPIRY = Promise(
    "behaviour.result-expiry", "a result expires when the settings say", ("celery_result_expires",), "time to live"
)
IDEMPOTENT = Promise(
    "behaviour.idempotent",
    "a task delivered twice writes once",
    ("celery_task_acks_late",),
    "deliveries and writes",
)
PROMISES = (RETRY, EXPIRED, RESULT_EXPIRY, IDEMPOTENT)

BASE, RETRIES = 0.1, 2  # seconds of the first delay, which doubles
LATE = 3.0  # seconds that a delay may last longer than asked
EARLY = 0.05  # seconds that clocks may tell it shorter
EXPIRY_SLACK = 60  # seconds between the write of a result and our look at it, at most


def check(stage: Stage, canaries: Canaries, found: Inspection) -> None:
    """Judge all behaviours at once, as most of their time is waiting; at the end those that cost a pool its child."""
    together(
        [
            partial(stage.judge, RETRY, partial(_retry, stage)),
            partial(stage.judge, EXPIRED, partial(_expired, stage)),
            partial(stage.judge, RESULT_EXPIRY, partial(_result_expiry, stage, canaries)),
            partial(stage.judge, IDEMPOTENT, partial(_idempotent, stage)),
            *workflows.questions(stage),
            *limits.soft(stage, canaries),
            partial(priority.check, stage, canaries, found),
        ]
    )
    together(limits.hard(stage, canaries, found))


def _retry(stage: Stage) -> Outcome:
    asked = [BASE * 2**number for number in range(RETRIES)]
    kwargs = {"failures": RETRIES, "base": BASE, "cap": 60, "jitter": False}
    answer = stage.ask("probe.retry", kwargs, seconds=sum(asked) + LATE + PATIENCE)
    if not answer.ok:
        return stage.unanswered(answer)
    started = [attempt["started_at"] for attempt in answer.value["attempts"]]
    delays = [later - earlier for earlier, later in itertools.pairwise(started)]
    figure = ", ".join(f"{due:g} s: {delay:.2f} s" for due, delay in zip(asked, delays, strict=False))
    if len(delays) == RETRIES and all(
        due - EARLY <= delay <= due + LATE for due, delay in zip(asked, delays, strict=True)
    ):
        return kept(figure)
    look = "how busy the workers are, and whether they run on several hosts whose clocks differ"
    return broken(
        figure,
        Hint(f"asked and measured delays: {figure}", look, f"{stage.target.words.make('verify')}, when it is quieter"),
    )


def _expired(stage: Stage) -> Outcome:
    """Send a task that expired an hour ago: no difference of clocks explains a run."""
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    answer = stage.target.answers.send("probe.noop", stage.queue, expires=past)
    after = stage.ask(WHOAMI, {}, seconds=PATIENCE)
    stage.target.answers.wait([answer], 1.0)
    if answer.state == "REVOKED":
        return kept("revoked, not run")
    if answer.state == "PENDING" and after.ok:
        return kept("dropped, not run")
    if answer.ok:
        look = "which version of Celery the workers run"
        return broken(
            "it ran", Hint("it expired an hour before it was sent, and ran", look, stage.target.words.make("deploy"))
        )
    return stage.unanswered(answer)


def _result_expiry(stage: Stage, canaries: Canaries) -> Outcome:
    answer = canaries.first[stage.queue]
    left: Any = stage.target.answers.store.ttl(stage.target.answers.key(answer.id))
    due = int(stage.target.application.settings.result_expires)
    figure = f"{left} s" if left >= 0 else "never"
    if (due == 0 and left == -1) or (due > 0 and due - EXPIRY_SLACK <= left <= due):
        return kept(f"{due} s" if due else "never")
    look = "whether the workers were restarted since the deploy"
    return broken(
        figure,
        Hint(
            f"a new result lives {figure}, and celery_result_expires says {due} s",
            look,
            stage.target.words.make("deploy"),
        ),
    )


def _idempotent(stage: Stage) -> Outcome:
    """Deliver one entry once more than there are hosts: each host has a ledger of its own."""
    hosts = {worker.host.name for worker in stage.workers}
    kwargs = {"entry_id": f"verify-{uuid4()}"}
    answers = [stage.ask("probe.ledger", kwargs, seconds=PATIENCE) for _ in range(len(hosts) + 1)]
    for answer in answers:
        if "PROBE_LEDGER" in answer.failure:
            return unchecked(f"its workers have no ledger: {answer.failure}")
        if not answer.ok:
            return stage.unanswered(answer)
    writes = sum(answer.value["first"] for answer in answers)
    figure = f"{plural(len(answers), 'delivery').replace('deliverys', 'deliveries')}, {plural(writes, 'write')}"
    if writes <= len(hosts):
        return kept(figure)
    return broken(
        figure, Hint(figure, "PROBE_LEDGER of its workers: is it a file that stays?", stage.target.words.make("deploy"))
    )
