"""Rules of delivery: what makes tasks late, lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator

from settings.fleet import Fleet, HostSettings
from settings.model.celery import Worker
from settings.rules.rule import ERROR, WARNING, Rule, Violation, each_worker

CONFIG = "https://docs.celeryq.dev/en/stable/userguide/configuration.html"
WORKERS = "https://docs.celeryq.dev/en/stable/userguide/workers.html"
REDIS = "https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html"
# billiard waits up to 300 x 0.1 s for a pool that ends; measured 31.8 s in 3 of 12 stops
STOP_MARGIN = 35
# From here on a reserved task waits noticeably behind a busy worker.
LONG_TASK = 60
LOST_ACKS = 100  # per slot, that a worker outlives; each keeps its message in memory until the worker reconnects
DAY, WEEK = 86_400, 7 * 86_400
# What enforces which limit: celery/concurrency, 5.7
SOFT_POOLS, HARD_POOLS = ("prefork",), ("prefork", "gevent")
NOTICED = 5  # seconds from one look at the children to the next; mostly their end is told at once
RETRY_DELAY = 180  # seconds: default_retry_delay of a task that says none (celery 5.7, app/task.py)


def hard_limit(host: HostSettings, worker: Worker) -> float | None:
    """Return the hard limit that holds for a worker group, in seconds; None where none does."""
    limit = host.celery.task_time_limit if worker.time_limit is None else worker.time_limit
    return limit or None


def soft_limit(host: HostSettings, worker: Worker) -> float | None:
    """Return the soft limit that holds for a worker group, in seconds; None where none does."""
    limit = host.celery.task_soft_time_limit if worker.soft_time_limit is None else worker.soft_time_limit
    return limit or None


def prefetch(host: HostSettings, worker: Worker) -> int:
    """Return how many messages a worker group reserves per slot; 0 is without bound."""
    own = worker.prefetch_multiplier
    return host.celery.worker_prefetch_multiplier if own is None else own


def takes_for_free_slots(host: HostSettings, worker: Worker) -> bool:
    """Tell whether a worker group takes a message only when a slot is free for it, as Celery itself counts them.

    kombu counts what is not acknowledged instead, and never again takes off what it could not acknowledge: decision 021.
    """
    plain = host.celery.transport == "redis" and host.celery.task_acks_late and not worker.autoscale
    return plain and prefetch(host, worker) == 1


def told_prefetch(host: HostSettings, worker: Worker) -> int:
    """Return the multiplier that a worker is told."""
    return LOST_ACKS if takes_for_free_slots(host, worker) else prefetch(host, worker)


def longest_limit(host: HostSettings) -> float:
    """Return the longest hard limit of a host's workers; 0 where none has one."""
    return max((hard_limit(host, worker) or 0 for worker in host.celery.workers), default=0)


def _soft_below_hard(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in each_worker(fleet):
        soft, hard = soft_limit(host, worker), hard_limit(host, worker)
        if soft is None or hard is None or soft < hard:
            continue
        message = f"{worker.name} would be killed at {hard:g} s, before its soft limit of {soft:g} s"
        if worker.soft_time_limit is None and worker.time_limit is None:
            yield Violation(host, "celery_task_soft_time_limit", message, value=f"{soft:g}")
        else:
            key = "soft_time_limit" if worker.soft_time_limit is not None else "time_limit"
            yield Violation(host, "celery_workers", message, (index, key), f"{getattr(worker, key):g}")


def _stop_exceeds_limit(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        limit = longest_limit(host) if host.workers else 0
        if limit and host.celery.stop_timeout < limit + STOP_MARGIN:
            message = f"a task may run {limit:g} s, and a stop may take {STOP_MARGIN} s more"
            fix = f"write at least {int(limit) + STOP_MARGIN}"
            yield Violation(host, "celery_stop_timeout", message, value=str(host.celery.stop_timeout), fix=fix)


def _hard_limit_set(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in each_worker(fleet):
        if hard_limit(host, worker) is None and worker.pool in HARD_POOLS:
            own = worker.time_limit is not None
            message = f"a task of {worker.name} that hangs holds its slot for ever"
            variable = "celery_workers" if own else "celery_task_time_limit"
            yield Violation(host, variable, message, (index, "time_limit") if own else ())


def _visibility(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        if host.celery.transport == "redis-plus":
            continue  # its workers renew what they hold, and an ETA waits in Redis
        # a message is held while those that were reserved before it run
        held = max(
            ((hard_limit(host, one) or 0) * max(1, prefetch(host, one)) for one in host.celery.workers), default=0
        )
        need = held + host.celery.longest_eta
        if need and host.celery.visibility_timeout <= need:
            parts = f"longest ETA {host.celery.longest_eta:g} s, hard limit times prefetch {held:g} s"
            message, fix = f"a message may be held {need:g} s ({parts})", f"write more than {need:g}"
            value = str(host.celery.visibility_timeout)
            yield Violation(host, "celery_visibility_timeout", message, value=value, fix=fix)


def _visibility_agrees(fleet: Fleet) -> Iterator[Violation]:
    for hosts in fleet.applications():
        first = hosts[0]
        for host in hosts[1:]:
            timeout = host.celery.visibility_timeout
            if timeout != first.celery.visibility_timeout:
                message = f"{first.name} says {first.celery.visibility_timeout} for the same broker"
                yield Violation(host, "celery_visibility_timeout", message, value=str(timeout))


def _limits_enforced(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in each_worker(fleet):
        ignored = [
            f"{name}: 0"
            for name, limit, pools in (
                ("time_limit", hard_limit(host, worker), HARD_POOLS),
                ("soft_time_limit", soft_limit(host, worker), SOFT_POOLS),
            )
            if limit and worker.pool not in pools
        ]
        if ignored:
            message = f"{worker.name} is promised limits that a {worker.pool} pool does not enforce"
            fix = f"use prefork, or write {' and '.join(ignored)} for this group"
            yield Violation(host, "celery_workers", message, (index, "pool"), worker.pool, fix)


def _late_acks(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.workers and not host.celery.task_acks_late:
            yield Violation(host, "celery_task_acks_late", "a killed worker loses what it was running", value="false")


def _worker_lost(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.workers and host.celery.task_acks_late and not host.celery.task_reject_on_worker_lost:
            message = "a killed pool child loses its task in spite of late acks"
            yield Violation(host, "celery_task_reject_on_worker_lost", message, value="false")


def _poison(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.workers and host.celery.task_reject_on_worker_lost and not host.celery.task_retry_on_worker_lost:
            message = "a task that always kills its child runs for ever"
            yield Violation(host, "celery_task_retry_on_worker_lost", message, value="false")


def _lost_delay(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        celery = host.celery
        waits = celery.task_retry_on_worker_lost and celery.transport == "redis"
        if host.workers and waits and celery.visibility_timeout <= RETRY_DELAY:
            message = (
                f"the task of a killed child is retried after {RETRY_DELAY} s, unless the task has a delay of its own"
            )
            value = str(celery.visibility_timeout)
            yield Violation(
                host, "celery_visibility_timeout", message, value=value, fix=f"write more than {RETRY_DELAY}"
            )


def _noticed(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in each_worker(fleet):
        limit = hard_limit(host, worker)
        if limit and limit <= NOTICED and worker.pool == "prefork" and host.celery.task_acks_on_timeout:
            own = worker.time_limit is not None
            message = (
                f"a child that was killed may be noticed {NOTICED} s later, and its task ends by this limit before that"
            )
            variable, path = ("celery_workers", (index, "time_limit")) if own else ("celery_task_time_limit", ())
            yield Violation(host, variable, message, path, value=f"{limit:g}")


def _timeout_loop(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.workers and not host.celery.task_acks_on_timeout:
            message = "a task that always hits its hard limit runs for ever"
            yield Violation(host, "celery_task_acks_on_timeout", message, value="false")


def _prefetch(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in each_worker(fleet):
        multiplier, limit = prefetch(host, worker), hard_limit(host, worker)
        if host.celery.task_acks_late and multiplier != 1 and (limit is None or limit >= LONG_TASK):
            own = worker.prefetch_multiplier is not None
            many = "without bound" if multiplier == 0 else f"{multiplier} per slot"
            message = f"{worker.name} reserves messages {many} while its tasks may run long"
            variable = "celery_workers" if own else "celery_worker_prefetch_multiplier"
            yield Violation(host, variable, message, (index, "prefetch_multiplier") if own else (), str(multiplier))


def _results_expire(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        expires = host.celery.result_expires
        if not host.celery.task_ignore_result and (expires == 0 or expires > WEEK):
            message = "results are kept " + (f"{expires / DAY:.0f} days" if expires else "for ever")
            yield Violation(host, "celery_result_expires", message, value=f"{expires:g}")


def _results_outlive(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        expires, limit = host.celery.result_expires, longest_limit(host)
        if not host.celery.task_ignore_result and 0 < expires <= limit:
            message = f"a task may run {limit:g} s, and what it waits for is gone by then"
            yield Violation(
                host, "celery_result_expires", message, value=f"{expires:g}", fix=f"write more than {limit:g}"
            )


def _soft_shutdown(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        grace = host.celery.worker_soft_shutdown_timeout
        if host.workers and grace >= host.celery.stop_timeout:
            message = f"the manager kills after celery_stop_timeout = {host.celery.stop_timeout}"
            yield Violation(host, "celery_worker_soft_shutdown_timeout", message, value=f"{grace:g}")


def _mutex(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        expires = host.celery.unacked_mutex_expire
        if expires >= host.celery.visibility_timeout:
            message = "a killed worker's lock would outlive the visibility timeout"
            yield Violation(host, "celery_unacked_mutex_expire", message, value=str(expires))


RULES = (
    Rule(
        id="soft-below-hard",
        severity=ERROR,
        says="A soft limit is below its hard limit.",
        why="the task is killed before it may clean up",
        source=CONFIG,
        fix="lower the soft limit",
        check=_soft_below_hard,
    ),
    Rule(
        id="stop-exceeds-limit",
        severity=ERROR,
        says="A warm stop may take the longest task and a margin.",
        why="the manager would kill a worker in the middle of a task",
        source="measured: 3 of 12 idle stops took 31.8 s",
        fix="raise celery_stop_timeout",
        check=_stop_exceeds_limit,
    ),
    Rule(
        id="hard-limit-set",
        severity=WARNING,
        says="Tasks have a hard limit.",
        why="hung tasks use up the pool, one slot at a time",
        source=CONFIG,
        fix="set a limit above the longest honest run",
        check=_hard_limit_set,
    ),
    Rule(
        id="visibility-exceeds-run",
        severity=ERROR,
        says="The visibility timeout exceeds the longest hold of a message.",
        why="the task would be delivered a second time while it runs or waits",
        source="kombu #337, celery #4766, #5935",
        fix="raise celery_visibility_timeout",
        check=_visibility,
    ),
    Rule(
        id="visibility-agrees",
        severity=ERROR,
        says="Applications that share a broker agree on the visibility timeout.",
        why="the shortest wins for all: any worker restores any message",
        source=REDIS,
        fix="set it once, in group_vars/all",
        check=_visibility_agrees,
    ),
    Rule(
        id="limits-enforced",
        severity=ERROR,
        says="Time limits stand only where the pool enforces them.",
        why="only prefork enforces a soft limit; threads, eventlet and solo enforce no hard one either",
        source=WORKERS,
        fix="use prefork, or write time_limit: 0 and soft_time_limit: 0 for this group",
        check=_limits_enforced,
    ),
    Rule(
        id="late-acks",
        severity=WARNING,
        says="Tasks are acknowledged after they ran.",
        why="an early acknowledgement is a promise to lose",
        source=CONFIG,
        fix="set celery_task_acks_late: true and make tasks idempotent",
        check=_late_acks,
    ),
    Rule(
        id="worker-lost",
        severity=WARNING,
        says="Late acknowledgement goes with reject-on-worker-lost.",
        why="Celery acknowledges the task of a dead child",
        source="celery #1628; measured",
        fix="set celery_task_reject_on_worker_lost: true",
        check=_worker_lost,
    ),
    Rule(
        id="poison-task",
        severity=WARNING,
        says="Redelivery after a lost child is counted.",
        why="a poison task takes the pool down, child by child",
        source="celery #9082",
        fix="set celery_task_retry_on_worker_lost: true",
        check=_poison,
    ),
    Rule(
        id="lost-delay",
        severity=WARNING,
        says="The retry after a lost child comes before the visibility timeout.",
        why="it waits in a worker, unacknowledged: what comes back by the timeout meanwhile runs again and again",
        source="celery 5.7 worker/request.py, app/task.py: default_retry_delay; found by a drill",
        fix="raise celery_visibility_timeout, or give every task a default_retry_delay below it",
        check=_lost_delay,
    ),
    Rule(
        id="limit-noticed",
        severity=WARNING,
        says="A hard limit leaves time to notice a killed child.",
        why="a task that hit its limit is acknowledged, while the task of a killed child runs again",
        source="celery 5.7 concurrency/asynpool.py looks at its children every 5 s; found by a drill: 3 lost in 30 kills",
        fix=f"write more than {NOTICED}",
        check=_noticed,
    ),
    Rule(
        id="timeout-loop",
        severity=WARNING,
        says="A task that hit its hard limit is done.",
        why="it is delivered again without a count",
        source="celery #9596",
        fix="set celery_task_acks_on_timeout: true, and retry in the task",
        check=_timeout_loop,
    ),
    Rule(
        id="prefetch-starves",
        severity=WARNING,
        says="Workers with long tasks reserve no more than they run.",
        why="what a busy worker holds, idle ones cannot take",
        source="celery #1933",
        fix="set the multiplier to 1",
        check=_prefetch,
    ),
    Rule(
        id="results-expire",
        severity=WARNING,
        says="Results expire within a week.",
        why="each result holds memory of the broker",
        source=CONFIG,
        fix="lower celery_result_expires, or ignore results",
        check=_results_expire,
    ),
    Rule(
        id="results-outlive",
        severity=WARNING,
        says="Results outlive the longest task.",
        why="a chord whose first results are gone never ends",
        source=CONFIG,
        fix="raise celery_result_expires",
        check=_results_outlive,
    ),
    Rule(
        id="soft-shutdown-fits",
        severity=ERROR,
        says="A soft shutdown ends before the manager kills.",
        why="its tasks are killed all the same",
        source=WORKERS,
        fix="lower it or raise celery_stop_timeout",
        check=_soft_shutdown,
    ),
    Rule(
        id="mutex-expires",
        severity=WARNING,
        says="The restore lock expires before the visibility timeout.",
        why="a killed worker's lock stops all redelivery",
        source="kombu 5.7 transport/redis.py",
        fix="lower celery_unacked_mutex_expire",
        check=_mutex,
    ),
)
