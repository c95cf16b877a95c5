"""Rules of Celery's configuration beyond the settings that have names of their own here."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from settings.fleet import Fleet
from settings.model import Celery
from settings.rules.rule import ERROR, WARNING, Rule, Violation

CONFIG = "https://docs.celeryq.dev/en/stable/userguide/configuration.html"
SERIALIZERS = ("accept_content", "result_accept_content", "task_serializer", "result_serializer", "event_serializer")
PICKLE = ("pickle", "application/x-python-serialize")
_BROKER = "celery_broker_instance or redis_managed_url"
_RESULTS = "celery_result_instance or redis_managed_url"
# Keys that the role derives, and what to set instead.
REPLACED = {
    "broker_url": _BROKER,
    "broker_read_url": _BROKER,
    "broker_write_url": _BROKER,
    "broker_host": _BROKER,
    "broker_port": _BROKER,
    "broker_user": _BROKER,
    "broker_password": _BROKER,
    "broker_vhost": "celery_broker_db",
    "broker_transport": "celery_transport",
    "broker_use_ssl": "redis_tls_port or redis_managed_url",
    "broker_transport_options": "celery_visibility_timeout, celery_priority_steps and the like",
    "redis_host": _RESULTS,
    "redis_port": _RESULTS,
    "redis_username": _RESULTS,
    "redis_password": _RESULTS,
    "redis_db": "celery_result_db",
    "redis_backend_use_ssl": "redis_tls_port or redis_managed_url",
    "redis_socket_timeout": "celery_socket_timeout",
    "redis_socket_connect_timeout": "celery_socket_connect_timeout",
    "redis_socket_keepalive": "celery_socket_keepalive",
    "result_backend": _RESULTS,
    "result_backend_transport_options": "celery_visibility_timeout and celery_global_keyprefix",
    "task_queues": "celery_queues",
    "task_routes": "celery_routes",
    "task_default_exchange": "celery_task_default_queue",
    "task_default_routing_key": "celery_task_default_queue",
    "beat_schedule": "celery_beat_schedule",
    "beat_max_loop_interval": "celery_beat_max_loop_interval",
    "worker_concurrency": "celery_workers[].concurrency",
    "worker_pool": "celery_workers[].pool",
    "worker_max_memory_per_child": "celery_workers[].max_memory_per_child",
    "imports": "celery_imports",
    "include": "celery_imports",
    "task_acks_on_failure_or_timeout": "celery_task_acks_on_timeout and celery_task_acks_on_failure",
}


def _known(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        if not host.celery.extra_config:
            continue
        from celery.app.defaults import DEFAULTS  # 0.25 s: paid only where it is asked

        for key in host.celery.extra_config:
            if key in Celery.model_fields or key in REPLACED:
                message, fix = f"{key} has a setting of its own", f"write {REPLACED.get(key, 'celery_' + key)}"
            elif key not in DEFAULTS:
                near = difflib.get_close_matches(key, list(DEFAULTS), n=1)
                message, fix = f"Celery knows no {key}", f"write {near[0]}" if near else "see " + CONFIG
            else:
                continue
            yield Violation(host, "celery_extra_config", message, (key,), fix=fix)


def _pickle(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for key in SERIALIZERS:
            value = host.celery.extra_config.get(key)
            if any(word in PICKLE for word in (value if isinstance(value, list) else [value])):
                message = "whoever can write to a queue could run any code in the workers"
                yield Violation(host, "celery_extra_config", message, (key,), "pickle")


def _eager(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        if host.celery.extra_config.get("task_always_eager"):
            message = "no task would reach a queue: it runs inside of whoever sends it"
            yield Violation(host, "celery_extra_config", message, ("task_always_eager",), "true")


def _missing_queues(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        if host.celery.task_create_missing_queues:
            message = "a misspelt queue name becomes a queue that nobody consumes"
            yield Violation(host, "celery_task_create_missing_queues", message, value="true")


def _flower_events(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.members("flower"):
        if not host.celery.worker_send_task_events:
            yield Violation(host, "celery_worker_send_task_events", "Flower would show no task", value="false")


RULES = (
    Rule(
        id="extra-config-known",
        severity=ERROR,
        says="celery_extra_config holds keys that Celery knows and that have no setting here.",
        why="Celery ignores a misspelt key, and a key that stands twice overrules its setting",
        source=CONFIG,
        fix="correct the key",
        check=_known,
    ),
    Rule(
        id="no-pickle",
        severity=ERROR,
        says="Messages are not pickled.",
        why="unpickling a message runs the code in it",
        source="https://docs.celeryq.dev/en/stable/userguide/security.html",
        fix="write json",
        check=_pickle,
    ),
    Rule(
        id="not-eager",
        severity=ERROR,
        says="Tasks are queued.",
        why="task_always_eager is for tests: nothing is queued, retried elsewhere or kept over a crash",
        source=CONFIG,
        fix="delete task_always_eager",
        check=_eager,
    ),
    Rule(
        id="missing-queues",
        severity=WARNING,
        says="Queues are declared, not created on the fly.",
        why="tasks in a queue that nobody consumes wait for ever, and no error tells",
        source=CONFIG,
        fix="set celery_task_create_missing_queues: false, and list every queue in celery_queues",
        check=_missing_queues,
    ),
    Rule(
        id="flower-events",
        severity=WARNING,
        says="Where Flower runs, workers send events.",
        why="Flower shows nothing without them",
        source="https://flower.readthedocs.io/en/latest/",
        fix="set celery_worker_send_task_events: true; it costs about a third of throughput",
        check=_flower_events,
    ),
)
