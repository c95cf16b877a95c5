"""Rules of delivery: what makes tasks late, lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator

from settings.fleet import Fleet, HostSettings
from settings.model.celery import Worker
from settings.rules.rule import ERROR, WARNING, Rule, Violation

CONFIG = "https://docs.celeryq.dev/en/stable/userguide/configuration.html"
REDIS = "https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html"
# billiard waits up to 300 x 0.1 s for a pool that ends; measured 31.8 s in 3 of 12 stops
STOP_MARGIN = 35
# From here on a reserved task waits noticeably behind a busy worker.
LONG_TASK = 60
WEEK = 7 * 86_400


def hard_limit(host: HostSettings, worker: Worker) -> float | None:
    """Return the hard limit that holds for a worker group, in seconds; None where none does."""
    limit = host.celery.task_time_limit if worker.time_limit is None else worker.time_limit
    return limit or None


def soft_limit(host: HostSettings, worker: Worker) -> float | None:
    """Return the soft limit that holds for a worker group, in seconds; None where none does."""
    limit = host.celery.task_soft_time_limit if worker.soft_time_limit is None else worker.soft_time_limit
    return limit or None


def longest_limit(host: HostSettings) -> float | None:
    """Return the longest hard limit of a host's workers; None where one has none."""
    limits = [hard_limit(host, worker) for worker in host.celery.workers]
    return None if None in limits or not limits else max(limit for limit in limits if limit is not None)


def _workers(fleet: Fleet) -> Iterator[tuple[HostSettings, int, Worker]]:
    for host in fleet:
        for index, worker in enumerate(host.workers):
            yield host, index, worker


def _soft_below_hard(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in _workers(fleet):
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
        limit = longest_limit(host) if host.workers else None
        if limit is not None and host.celery.stop_timeout < limit + STOP_MARGIN:
            yield Violation(
                host,
                "celery_stop_timeout",
                f"a task may run {limit:g} s, and a stop may take {STOP_MARGIN} s more",
                value=str(host.celery.stop_timeout),
                fix=f"write at least {int(limit) + STOP_MARGIN}",
            )


def _hard_limit_set(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in _workers(fleet):
        if hard_limit(host, worker) is None and worker.pool == "prefork":
            where: tuple[str | int, ...] = (index, "time_limit") if worker.time_limit is not None else ()
            yield Violation(host, "celery_workers" if where else "celery_task_time_limit", f"a task of {worker.name} that hangs holds its slot for ever", where)


def _visibility(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        limit = longest_limit(host) or 0
        need = limit + host.celery.longest_eta
        if host.celery.visibility_timeout <= need:
            yield Violation(
                host,
                "celery_visibility_timeout",
                f"a message may be held {need:g} s (longest ETA {host.celery.longest_eta:g} s, hard limit {limit:g} s)",
                value=str(host.celery.visibility_timeout),
                fix=f"write more than {need:g}",
            )


def _visibility_agrees(fleet: Fleet) -> Iterator[Violation]:
    shortest: dict[str, tuple[int, str]] = {}
    for host in fleet.celery_hosts():
        broker, timeout = host.celery.broker_instance, host.celery.visibility_timeout
        if broker in shortest and shortest[broker][0] != timeout:
            yield Violation(host, "celery_visibility_timeout", f"{shortest[broker][1]} says {shortest[broker][0]} for the same broker", value=str(timeout))
        shortest.setdefault(broker, (timeout, host.name))


def _limits_enforced(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in _workers(fleet):
        if worker.pool != "prefork" and (hard_limit(host, worker) or soft_limit(host, worker)):
            yield Violation(host, "celery_workers", f"{worker.name} is promised limits that a {worker.pool} pool does not enforce", (index, "pool"), worker.pool)


def _late_acks(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.workers and not host.celery.task_acks_late:
            yield Violation(host, "celery_task_acks_late", "a killed worker loses what it was running", value="false")


def _worker_lost(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.workers and host.celery.task_acks_late and not host.celery.task_reject_on_worker_lost:
            yield Violation(host, "celery_task_reject_on_worker_lost", "a killed pool child loses its task in spite of late acks", value="false")


def _poison(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.workers and host.celery.task_reject_on_worker_lost and not host.celery.task_retry_on_worker_lost:
            yield Violation(host, "celery_task_retry_on_worker_lost", "a task that always kills its child runs for ever", value="false")


def _timeout_loop(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.workers and not host.celery.task_acks_on_timeout:
            yield Violation(host, "celery_task_acks_on_timeout", "a task that always hits its hard limit runs for ever", value="false")


def _prefetch(fleet: Fleet) -> Iterator[Violation]:
    for host, index, worker in _workers(fleet):
        own = worker.prefetch_multiplier
        multiplier = host.celery.worker_prefetch_multiplier if own is None else own
        limit = hard_limit(host, worker)
        if host.celery.task_acks_late and multiplier != 1 and (limit is None or limit >= LONG_TASK):
            variable, path = ("celery_worker_prefetch_multiplier", ()) if own is None else ("celery_workers", (index, "prefetch_multiplier"))
            many = "without bound" if multiplier == 0 else f"{multiplier} per slot"
            yield Violation(host, variable, f"{worker.name} reserves messages {many} while its tasks may run long", path, str(multiplier))


def _results_expire(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        expires = host.celery.result_expires
        if not host.celery.task_ignore_result and (expires == 0 or expires > WEEK):
            yield Violation(host, "celery_result_expires", "results are kept " + ("for ever" if not expires else f"{expires / 86_400:.0f} days"), value=f"{expires:g}")


def _soft_shutdown(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.workers and host.celery.worker_soft_shutdown_timeout >= host.celery.stop_timeout:
            yield Violation(host, "celery_worker_soft_shutdown_timeout", f"the manager kills after celery_stop_timeout = {host.celery.stop_timeout}", value=f"{host.celery.worker_soft_shutdown_timeout:g}")


def _mutex(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        if host.celery.unacked_mutex_expire >= host.celery.visibility_timeout:
            yield Violation(host, "celery_unacked_mutex_expire", "a killed worker's lock would outlive the visibility timeout", value=str(host.celery.unacked_mutex_expire))


RULES = (
    Rule("soft-below-hard", ERROR, "A soft limit is below its hard limit.", "the task is killed before it may clean up", CONFIG, "lower the soft limit", _soft_below_hard),
    Rule("stop-exceeds-limit", ERROR, "A warm stop may take the longest task and a margin.", "the manager would kill a worker in the middle of a task", "measured: 3 of 12 idle stops took 31.8 s", "raise celery_stop_timeout", _stop_exceeds_limit),
    Rule("hard-limit-set", WARNING, "Tasks have a hard limit.", "hung tasks use up the pool, one slot at a time", CONFIG, "set a limit above the longest honest run", _hard_limit_set),
    Rule("visibility-exceeds-run", ERROR, "The visibility timeout exceeds the longest hold of a message.", "the task would be delivered a second time while it runs or waits", "kombu #337, celery #4766, #5935", "raise celery_visibility_timeout", _visibility),
    Rule("visibility-agrees", ERROR, "Applications that share a broker agree on the visibility timeout.", "the shortest wins for all: any worker restores any message", REDIS, "set it once, in group_vars/all", _visibility_agrees),
    Rule("limits-enforced", ERROR, "Time limits stand only where the pool enforces them.", "threads, gevent, eventlet and solo enforce no soft limit, most of them no hard one", "https://docs.celeryq.dev/en/stable/userguide/workers.html", "use prefork, or write time_limit: 0 and soft_time_limit: 0 for this group", _limits_enforced),
    Rule("late-acks", WARNING, "Tasks are acknowledged after they ran.", "an early acknowledgement is a promise to lose", CONFIG, "set celery_task_acks_late: true and make tasks idempotent", _late_acks),
    Rule("worker-lost", WARNING, "Late acknowledgement goes with reject-on-worker-lost.", "Celery acknowledges the task of a dead child", "celery #1628; measured", "set celery_task_reject_on_worker_lost: true", _worker_lost),
    Rule("poison-task", WARNING, "Redelivery after a lost child is counted.", "a poison task takes the pool down, child by child", "celery #9082", "set celery_task_retry_on_worker_lost: true", _poison),
    Rule("timeout-loop", WARNING, "A task that hit its hard limit is done.", "it is delivered again without a count", "celery #9596", "set celery_task_acks_on_timeout: true, and retry in the task", _timeout_loop),
    Rule("prefetch-starves", WARNING, "Workers with long tasks reserve no more than they run.", "what a busy worker holds, idle ones cannot take", "celery #1933", "set the multiplier to 1", _prefetch),
    Rule("results-expire", WARNING, "Results expire within a week.", "each result holds memory of the broker", CONFIG, "lower celery_result_expires, or ignore results", _results_expire),
    Rule("soft-shutdown-fits", ERROR, "A soft shutdown ends before the manager kills.", "its tasks are killed all the same", "https://docs.celeryq.dev/en/stable/userguide/workers.html", "lower it or raise celery_stop_timeout", _soft_shutdown),
    Rule("mutex-expires", WARNING, "The restore lock expires before the visibility timeout.", "a killed worker's lock stops all redelivery", "kombu 5.7 transport/redis.py", "lower celery_unacked_mutex_expire", _mutex),
)
