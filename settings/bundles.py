"""What `celery_profile` names: bundles of defaults, each value with its reason.

A bundle gives what the inventory does not say itself. It is applied here, and nowhere else; what it gave a host is kept
with the host, so that a finding can name it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from settings.model.celery import Celery, Worker

Key = tuple[str | int, ...]
"""A field of `Celery`, or ("workers", index, field of `Worker`)."""


@dataclass(frozen=True)
class Value:
    """A value of a bundle, and why."""

    value: Any
    why: str


@dataclass(frozen=True)
class Bundle:
    """Defaults for one purpose. What is equal to the model's own default does not stand here."""

    says: str
    settings: Mapping[str, Value] = field(default_factory=dict)
    # For a group that says neither `concurrency` nor `autoscale`: who says how many children wants that many.
    shape: Mapping[str, Value] = field(default_factory=dict)
    # On top of it, for a group to which no time limit applies, and no limit of a child: what a solo pool cannot keep.
    unlimited: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """What a bundle gave a host."""

    profile: str = "safe"
    values: Mapping[Key, Any] = field(default_factory=dict)


_QUIET = {
    "loglevel": Value("WARNING", "INFO writes two lines a task: 15 to 20 % of throughput"),
    "task_track_started": Value(False, "a write and a message per task; waiting is then not told from running"),
    "result_extended": Value(False, "name and arguments make a result longer than what a short task returns"),
    "worker_max_tasks_per_child": Value(
        100_000, "1000 short tasks are a second or two: children would be replaced all the time"
    ),
    "reuse_clients": Value(True, "kombu builds a client of redis-py twice per task: docs/decisions/023-brakes.md"),
    "one_step_results": Value(True, "a step less that waits for Redis, of the four per task"),
}
_ONE_EACH = {
    "processes": Value(2, "one worker per core; say `processes` where there are more than two"),
    "concurrency": Value(1, "a worker's main process costs more per task than its child: each child gets its own"),
}
_SOLO = {"pool": Value("solo", "no child, and no pipe to it; enforces no limit, and answers `inspect` between tasks")}

BUNDLES: dict[str, Bundle] = {
    "safe": Bundle("Every default as the tables below say."),
    "throughput": Bundle(
        "Many short tasks. Late acks, reject-on-lost and results stay, events stay off.",
        settings=_QUIET,
        shape=_ONE_EACH,
        unlimited={
            **_SOLO,
            "processes": Value(3, "one more than cores, as each waits for Redis at every step"),
        },
    ),
    "latency": Bundle(
        "A task that somebody waits for. The same safety as throughput.",
        settings={
            **_QUIET,
            "timer_slack": Value(
                1, "who waits for a result yields by sleep(0), of which each lasts as long as timers may be late"
            ),
        },
        shape=_ONE_EACH,
        unlimited=_SOLO,
    ),
    "long-running": Bundle(
        "Tasks of minutes to hours. Late acks and one message per slot are the defaults already.",
        settings={
            "task_time_limit": Value(10_800, "three hours"),
            "task_soft_time_limit": Value(10_200, "ten minutes before it, to save what is done"),
            "visibility_timeout": Value(
                14_400, "must exceed the hard limit: the task would run a second time meanwhile"
            ),
            "stop_timeout": Value(10_860, "a warm stop waits for what runs: the hard limit and a margin"),
            "worker_soft_shutdown_timeout": Value(
                60, "a cold stop lets tasks save what is done before it cancels them"
            ),
            "worker_max_tasks_per_child": Value(
                10, "a new child costs nothing beside such a task, and returns its memory"
            ),
        },
    ),
}


def apply(celery: Celery) -> tuple[Celery, Given]:
    """Fill in what the profile of a host gives; return the settings, and what was given."""
    bundle = BUNDLES[celery.profile]
    given: dict[Key, Any] = {
        (name,): one.value for name, one in bundle.settings.items() if name not in celery.model_fields_set
    }
    celery = celery.model_copy(update={str(name): value for (name,), value in given.items()})
    for index, worker in enumerate(celery.workers):
        given |= {("workers", index, name): value for name, value in _for_group(bundle, celery, worker)}
    return _with_workers(celery, given), Given(celery.profile, given)


def without(celery: Celery, given: Given, keys: set[Key]) -> Celery:
    """Return the settings as they were if the bundle did not give these values."""
    plain = {str(key[0]): _default(Celery, str(key[0])) for key in keys if len(key) == 1}
    back = {key: _default(Worker, str(key[-1])) for key in keys if len(key) > 1}
    return _with_workers(celery.model_copy(update=plain), back)


def key_of(variable: str, path: Key) -> Key:
    """Return the key of a variable, or of a part of it."""
    return (variable.removeprefix(Celery.prefix), *path)


def name_of(key: Key) -> str:
    """Return what a key is called in an inventory: `celery_workers[0].pool`."""
    head, *rest = key
    return f"celery_{head}" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest)


def _for_group(bundle: Bundle, celery: Celery, worker: Worker) -> Iterator[tuple[str, Any]]:
    said = worker.model_fields_set
    if {"concurrency", "autoscale"} & said or worker.pool not in ("prefork", "solo"):
        return
    solo = _promises_no_limit(celery, worker) and ("pool" not in said or worker.pool == "solo")
    values = {**bundle.shape, **(bundle.unlimited if solo else {})}
    yield from ((name, one.value) for name, one in values.items() if name not in said)


def _promises_no_limit(celery: Celery, worker: Worker) -> bool:
    """Whether nothing is promised to a group that only children keep."""
    hard = celery.task_time_limit if worker.time_limit is None else worker.time_limit
    soft = celery.task_soft_time_limit if worker.soft_time_limit is None else worker.soft_time_limit
    return not any((hard, soft, worker.max_tasks_per_child, worker.max_memory_per_child))


def _with_workers(celery: Celery, values: Mapping[Key, Any]) -> Celery:
    workers = [
        worker.model_copy(update={str(key[2]): value for key, value in values.items() if key[1:2] == (index,)})
        for index, worker in enumerate(celery.workers)
    ]
    return celery.model_copy(update={"workers": workers})


def _default(model: type[Celery | Worker], name: str) -> Any:
    return model.model_fields[name].get_default(call_default_factory=True)
