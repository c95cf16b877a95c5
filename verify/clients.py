"""Clients that fail fast: short timeouts and no retries, so that a dead server is told within seconds."""

from __future__ import annotations

import importlib
from typing import Any

import redis
from celery import Celery
from celery.backends.redis import RedisBackend, SentinelBackend
from kombu import Queue
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from settings.endpoints import (
    Endpoint,
    broker_url,
    host_address,
    result_url,
    sentinel_addresses,
    through_sentinel,
    tls_arguments,
)
from settings.fleet import Fleet, HostSettings
from settings.model import Celery as CelerySettings
from settings.model.redis import RedisInstance
from settings.tls import operator_files
from verify.keys import files_in_clear, url_in_clear

TIMEOUT = 1.5  # seconds for a connect or an answer: a local Redis answers in one thousandth of it


class _Silent:
    """The result backend of a client that polls results itself, from many threads.

    Celery's own subscribes on every publish, on one connection that threads may not share (celery 5.7,
    backends/redis.py, on_task_call).
    """

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Do nothing."""


class NoSubscription(_Silent, RedisBackend):  # type: ignore[misc]
    """Results of one Redis."""


class NoSubscriptionBySentinel(_Silent, SentinelBackend):  # type: ignore[misc]
    """Results of the master that the Sentinels name."""


def options() -> dict[str, Any]:
    """Return what every connection of verify has in common.

    redis-py 8 retries ten times by itself and asks servers for features with commands that our users may not run.
    """
    return {
        "socket_timeout": TIMEOUT,
        "socket_connect_timeout": TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "driver_info": None,
    }


def login(host: HostSettings, user: str) -> dict[str, str]:
    """Return the credentials of a built-in user as keyword arguments; empty where Redis asks for none."""
    if host.redis.auth == "acl" and user in host.redis.passwords:
        return {"username": user, "password": host.redis.passwords[user].get_secret_value()}
    if host.redis.auth == "password" and host.redis.password:
        return {"password": host.redis.password.get_secret_value()}
    return {}


def instance_client(host: HostSettings, instance: RedisInstance, credentials: dict[str, str]) -> redis.Redis:
    """Return a client of one instance of one host; nothing is sent yet."""
    endpoint = Endpoint.of(host, instance)
    everything: dict[str, Any] = {**credentials, **_as_arguments(_operator_tls(host, instance)), **options()}
    return redis.Redis(host=endpoint.address, port=endpoint.port, decode_responses=True, **everything)


def sentinel_client(fleet: Fleet, host: HostSettings, credentials: dict[str, str]) -> redis.Redis:
    """Return a client of the Sentinel of a host; nothing is sent yet."""
    everything: dict[str, Any] = {**credentials, **_as_arguments(_watched_tls(fleet, host)), **options()}
    return redis.Redis(host=host_address(host), port=host.sentinel.port, decode_responses=True, **everything)


def _operator_tls(host: HostSettings, instance: RedisInstance) -> dict[str, str]:
    """Return the TLS files of this machine as redis-py names them; empty where an instance speaks none."""
    return tls_arguments(files_in_clear(operator_files(host, instance))) if instance.tls_port else {}


def _watched_tls(fleet: Fleet, host: HostSettings) -> dict[str, str]:
    """Return the same for what a host's Sentinels watch; they speak TLS where that does."""
    found = fleet.find_instance(host.sentinel.master_name)
    return _operator_tls(*found) if found else {}


def _as_arguments(tls: dict[str, str]) -> dict[str, Any]:
    """Return TLS files as arguments of a client of redis-py."""
    return {"ssl": True, **tls} if tls else {}


def _master_client(fleet: Fleet, host: HostSettings) -> redis.Redis:
    """Return a client of the master that the Sentinels name, asked anew for every connection."""
    shared: dict[str, Any] = {**_as_arguments(_watched_tls(fleet, host)), **options(), **login(host, "verifier")}
    asked: Any = Sentinel(sentinel_addresses(fleet), sentinel_kwargs=shared)  # type: ignore[no-untyped-call]
    client: redis.Redis = asked.master_for(host.sentinel.master_name, db=host.celery.result_db, **shared)
    return client


def _transport(fleet: Fleet, host: HostSettings) -> dict[str, Any]:
    """Return the transport options of a `sentinel://` URL, as the deployed celeryconfig has them."""
    patience = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
    kwargs = {**login(host, "verifier"), **patience, **_as_arguments(_watched_tls(fleet, host))}
    return {"master_name": host.sentinel.master_name, "sentinel_kwargs": kwargs}


def result_client(fleet: Fleet, host: HostSettings) -> redis.Redis:
    """Return a client of the results, as the verifier."""
    if through_sentinel(fleet, host, host.celery.result_instance):
        return _master_client(fleet, host)
    client: redis.Redis = redis.Redis.from_url(
        url_in_clear(result_url(fleet, host, "verifier", operator=True)), **options()
    )
    return client


def _of_transport(settings: CelerySettings) -> dict[str, Any]:
    """Return the options that only the transport in use knows."""
    if settings.transport == "redis-plus":
        return {"blocking_timeout": TIMEOUT / 3}  # shorter than the longest answer
    return {"priority_steps": settings.priority_steps, "queue_order_strategy": settings.queue_order_strategy}


def celery_client(fleet: Fleet, host: HostSettings) -> Celery:
    """Return an application that publishes and inspects as the verifier, configured as the deployed one.

    Raises:
        ModuleNotFoundError: where the transport is celery-redis-plus and that is not installed here.
    """
    settings = host.celery
    if settings.transport == "redis-plus":
        importlib.import_module("celery_redis_plus")  # registers the transport valkey://
    by_sentinel = through_sentinel(fleet, host, settings.broker_instance)
    results_by_sentinel = through_sentinel(fleet, host, settings.result_instance)
    tls = _watched_tls(fleet, host)
    kind = NoSubscriptionBySentinel if results_by_sentinel else NoSubscription
    results = url_in_clear(result_url(fleet, host, "verifier", operator=True))
    backend = f"{kind.__module__}:{kind.__name__}+{results}"
    broker = url_in_clear(broker_url(fleet, host, "verifier", operator=True))
    client = Celery("verify", broker=broker, backend=backend, set_as_current=False)
    queue = settings.task_default_queue
    client.conf.update(
        # The same bindings as the deployed celeryconfig declares: verify leaves none behind.
        task_queues=[Queue(entry.name, routing_key=entry.name) for entry in settings.queues],
        task_default_queue=queue,
        task_default_exchange=queue,
        task_default_routing_key=queue,
        task_create_missing_queues=False,
        task_publish_retry=False,
        result_backend_thread_safe=True,
        result_expires=settings.result_expires or None,
        broker_connection_timeout=TIMEOUT,
        broker_transport_options={
            "visibility_timeout": settings.visibility_timeout,
            **_of_transport(settings),
            "global_keyprefix": settings.global_keyprefix,
            "socket_timeout": TIMEOUT,
            "socket_connect_timeout": TIMEOUT,
            "retry_on_timeout": False,
            **(_transport(fleet, host) if by_sentinel else {}),
        },
        result_backend_transport_options={
            "global_keyprefix": settings.global_keyprefix,
            "retry_policy": {"max_retries": 0},
            **(_transport(fleet, host) if results_by_sentinel else {}),
        },
        redis_socket_timeout=TIMEOUT,
        redis_socket_connect_timeout=TIMEOUT,
        redis_retry_on_timeout=False,
        **({"broker_use_ssl": tls} if tls and by_sentinel else {}),
        **({"redis_backend_use_ssl": tls} if tls and results_by_sentinel else {}),
    )
    return client
