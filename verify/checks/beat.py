"""Does beat send its periodic tasks? Told by the heartbeat, where the schedule has one."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from celery.schedules import crontab, schedule

from settings.model.celery import BeatEntry
from verify.checks.queues import Canaries
from verify.context import Target
from verify.model import Hint, Outcome, Promise, Row, broken, kept, unchecked
from verify.words import seconds

HEARTBEAT = Promise(
    "beat.heartbeat",
    "beat's heartbeat is on time",
    ("celery_beat_schedule", "celery_beat_max_loop_interval"),
    "age of the last one",
)
PROMISES = (HEARTBEAT,)

TASK, RESULT = "probe.heartbeat", "probe-heartbeat"
MARGIN = 3.0  # seconds for the way through queue and worker
WAIT = 8.0  # seconds that a heartbeat is waited for, right after a start or an outage


def check(target: Target, canaries: Canaries, gates: Iterable[Row]) -> None:
    """Judge the heartbeat of an application; no row where nothing sends one."""
    for entry in target.application.entries(TASK):
        queue = entry.queue or target.application.queue_of(TASK)
        needs = [*gates, *([canaries.rows[queue]] if queue in canaries.rows else [])]
        target.board.judge(
            HEARTBEAT, entry.name, partial(_heartbeat, target, entry), needs=needs, explained_by=target.servers
        )


def overdue(entry: BeatEntry, last: float, now: float) -> float:
    """Return the seconds by which the next run is late; negative while it is not due.

    Args:
        entry: of the schedule.
        last: when it last ran, seconds since the epoch.
        now: seconds since the epoch.
    """

    def moment() -> datetime.datetime:
        return datetime.datetime.fromtimestamp(now, datetime.UTC)

    if entry.cron:
        minute, hour, day, month, weekday = entry.cron.split()
        plan: Any = crontab(minute, hour, weekday, day, month, nowfun=moment)
    else:
        plan = schedule(entry.every, nowfun=moment)
    left = plan.remaining_estimate(datetime.datetime.fromtimestamp(last, datetime.UTC))
    return -float(left.total_seconds())


def _late(entry: BeatEntry, stored: Mapping[str, Any]) -> float:
    return overdue(entry, float(stored["result"]["at"]), time.time())


def _heartbeat(target: Target, entry: BeatEntry) -> Outcome:
    host = next(host for host in target.application.hosts if "beat" in host.raw.groups)
    margin = MARGIN + host.celery.beat_max_loop_interval
    wait = target.budget.allow(min(WAIT, (entry.every or WAIT) + margin))
    end = time.monotonic() + wait
    while (stored := target.answers.read(RESULT)) is None or _late(entry, stored) > margin:
        if time.monotonic() > end:
            break
        time.sleep(0.1)
    log = target.words.service(host, "celery-beat")
    due = entry.cron or f"every {entry.every:g} s"
    if stored is None and not (entry.every and entry.every + margin <= WAIT):
        return unchecked(f"none is stored, and one comes {due}: verify again after that, if beat was just started")
    if stored is None:
        return broken(
            "none",
            Hint(
                f"no heartbeat within {seconds(wait)}, and one is due {due}",
                log,
                target.words.make("deploy") + ", which starts what shall run",
            ),
        )
    age = time.time() - float(stored["result"]["at"])
    if _late(entry, stored) <= margin:
        return kept(f"{max(age, 0):.1f} s old, due {due}")
    return broken(
        f"{age:.0f} s old",
        Hint(
            f"the last heartbeat is {age:.0f} s old, and one is due {due}",
            log,
            target.words.make("deploy") + ", which starts what shall run",
        ),
    )
