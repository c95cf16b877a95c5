"""What a host's templates see: its validated settings as plain data, with what follows from the whole fleet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from settings import generator
from settings.acl import sentinel_users, users
from settings.addresses import is_loopback, number
from settings.describe import Apply, described
from settings.endpoints import (
    Endpoint,
    broker_url,
    host_address,
    local_address,
    result_url,
    sentinel_addresses,
    sentinel_options,
    through_sentinel,
)
from settings.firewall import confined_to
from settings.firewall import ports as guarded_ports
from settings.fleet import Fleet, HostSettings
from settings.model.celery import CeleryConfig, Worker
from settings.model.redis import SERVICE_OPTIONS, RedisInstance, RedisOptions, directive
from settings.release import release_id
from settings.rules.delivery import hard_limit, prefetch, soft_limit, takes_for_free_slots, told_prefetch
from settings.tls import as_written, server_files, to_copy

REVEAL = {"reveal": True}
# Told to each worker on its command line. In celeryconfig.py a limit would overrule the worker's own: a task takes
# `task_time_limit` from the configuration first (celery/worker/request.py, `execute_using_pool`).
PER_WORKER = ("task_time_limit", "task_soft_time_limit", "worker_prefetch_multiplier", "worker_max_tasks_per_child")
CONFIG_KEYS = tuple(key for key in CeleryConfig.model_fields if key not in PER_WORKER)

LIVE_DIRECTIVES = sorted(
    [
        directive(name)
        for name, field in RedisOptions.model_fields.items()
        if described(field).apply is Apply.LIVE and name not in SERVICE_OPTIONS
    ]
    + ["masteruser", "replica-announce-ip", "replica-announce-port"]  # what follows from replication: no settings
)
# How the options of SENTINEL SET are called in the settings.
WATCH_OPTIONS = {
    option.replace("_", "-"): option
    for option in ("quorum", "down_after_milliseconds", "failover_timeout", "parallel_syncs")
}


def _places(pairs: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"host": host, "port": port} for host, port in pairs]


def _members(fleet: Fleet, name: str) -> list[dict[str, Any]]:
    found = (Endpoint.of(host, instance) for host, instance in fleet.members_of(name))
    return _places((endpoint.address, endpoint.port) for endpoint in found)


def _cli_tls(host: HostSettings, options: RedisOptions) -> list[str]:
    """Return redis-cli's options for TLS, with the files of a server."""
    files = server_files(host, options)
    words = {"--cacert": files.authority, "--cert": files.certificate, "--key": files.key}
    return ["--tls", *(word for option, file in words.items() if file for word in (option, file))]


def _replicated(fleet: Fleet, host: HostSettings) -> list[dict[str, Any]]:
    """Return the instances that have a replica or a master, as the module redis_topology takes them."""
    sentinels = _places(sentinel_addresses(fleet))
    return [
        {
            "name": instance.name,
            "host": local_address(instance, host_address(host)),
            "port": instance.tls_port or instance.port,
            "tls": _cli_tls(host, instance) if instance.tls_port else [],
            "address": host_address(host),
            "file": f"{host.stack.stack_root}/var/lib/redis/{instance.name}/topology.conf",
            "replicaof": instance.replicaof,
            "watched": fleet.watched(instance.name),
            "sentinels": sentinels if fleet.watched(instance.name) else [],
            "members": _members(fleet, instance.name),
        }
        for instance in host.instances
        if _is_replicated(fleet, instance)
    ]


def _is_replicated(fleet: Fleet, instance: RedisInstance) -> bool:
    return bool(instance.replicaof) or len(fleet.members_of(instance.name)) > 1


def _instances(fleet: Fleet, host: HostSettings) -> list[dict[str, Any]]:
    return [
        {
            **as_written(host, instance).model_dump(context=REVEAL),
            "announce": host_address(host) if _is_replicated(fleet, instance) else "",
            "local_address": local_address(instance, host_address(host)),
            "users": [user.line for user in users(fleet, host, instance)],
        }
        for instance in host.instances
    ]


def _worker(host: HostSettings, worker: Worker, number: int) -> dict[str, Any]:
    """Return one worker process, its effective limits filled in."""
    replaced = host.celery.worker_max_tasks_per_child if worker.pool == "prefork" else None
    return {
        **worker.model_dump(),
        "unit": f"{worker.name}-{number}",
        "node": f"{worker.name}-{number}@{host.name}",
        "time_limit": hard_limit(host, worker),
        "soft_time_limit": soft_limit(host, worker),
        "loglevel": worker.loglevel or host.celery.loglevel,
        "max_tasks_per_child": worker.max_tasks_per_child or replaced,
        "prefetch_multiplier": prefetch(host, worker),
        "told_prefetch": told_prefetch(host, worker),
        "takes_for_free_slots": takes_for_free_slots(host, worker),
    }


def _workers(host: HostSettings) -> list[dict[str, Any]]:
    """Return one entry per worker process."""
    return [_worker(host, worker, number) for worker in host.workers for number in range(1, worker.processes + 1)]


def _celery(fleet: Fleet, host: HostSettings) -> dict[str, Any]:
    celery = host.celery.model_dump(context=REVEAL)
    celery["config"] = {key: celery[key] for key in CONFIG_KEYS}
    celery["requirements"] = host.celery.requirements_file
    celery["workers"] = _workers(host)
    celery["confined_to"] = confined_to(fleet, host)
    celery["release_pinned"] = bool(host.celery.release)
    celery["release"] = host.celery.release or (release_id(host.celery) if host.uses_celery else "")
    celery["runs_workers"] = "celery" in host.raw.groups
    celery["runs_beat"] = "beat" in host.raw.groups
    celery["runs_flower"] = "flower" in host.raw.groups
    celery["beat_node"] = f"celerybeat@{host.name}"
    if host.uses_celery:
        celery["broker_url"] = broker_url(fleet, host, "worker")
        celery["result_backend"] = result_url(fleet, host, "worker")
        celery["sentinel"] = sentinel_options(fleet, host)
        celery["broker_by_sentinel"] = through_sentinel(fleet, host, host.celery.broker_instance)
        celery["results_by_sentinel"] = through_sentinel(fleet, host, host.celery.result_instance)
    if celery["runs_flower"]:
        celery["flower_broker_url"] = broker_url(fleet, host, "flower")
        celery["flower_result_backend"] = result_url(fleet, host, "flower")
    return celery


def _backup(host: HostSettings) -> dict[str, Any]:
    backup = host.backup.model_dump(context=REVEAL)
    backup["instances"] = [instance.name for instance in host.backed_up]
    backup["by_ssh"] = bool(backup["copy_to"]) and not backup["copy_to"].startswith("/")
    return backup


def _load(host: HostSettings) -> dict[str, Any]:
    """Return what a generator is made of; the workloads themselves are brought for a run."""
    return {
        "generates": host.generates,
        "user": generator.USER,
        "group": generator.USER,
        "unit": generator.UNIT,
        "files": generator.files() if host.generates else [],
        "requirements": generator.REQUIREMENTS,
        "release": generator.generator_id(host.celery) if host.generates else "",
    }


def _roles(host: HostSettings) -> list[str]:
    """Return the roles with files on a host, in the order of site.yml."""
    here = {
        "host": True,
        "firewall": True,
        "supervisor": host.stack.process_manager == "supervisor",
        "tls": True,
        "redis": bool(host.instances),
        "backup": bool(host.backed_up),
        "sentinel": "sentinel" in host.raw.groups,
        "celery": host.uses_celery,
        "locust": host.generates,
    }
    return [role for role, due in here.items() if due]


def _bound(host: HostSettings) -> list[str]:
    """Return the addresses that a Sentinel listens on; the first is the one that it connects from."""
    return host.sentinel.bind or list(dict.fromkeys((host_address(host), "127.0.0.1")))


def _sentinel(fleet: Fleet, host: HostSettings) -> dict[str, Any]:
    """Return a Sentinel's settings; for a host that runs one, with what it watches and how it is reached."""
    sentinel = host.sentinel.model_dump(context=REVEAL)
    sentinel["runs"] = "sentinel" in host.raw.groups
    found = fleet.find_instance(host.sentinel.master_name)
    if not sentinel["runs"] or found is None:
        return sentinel
    master = Endpoint.of(*found)
    members = _members(fleet, master.instance)
    bind = _bound(host)
    shared = {"auth_clients": host.redis.tls_auth_clients, "protocols": host.redis.tls_protocols}
    tls = {**server_files(host, host.redis).as_dict(), **shared} if master.tls else {}
    addresses = [*(member["host"] for member in members), *(address for address, _ in sentinel_addresses(fleet))]
    own = (host_address(host), host.sentinel.port)
    return {
        **sentinel,
        "bind": bind,
        "address": own[0],
        "local_address": own[0] if tls else next((one for one in bind if is_loopback(one)), own[0]),
        "tls": tls,
        "cli_tls": _cli_tls(host, host.redis) if tls else [],
        "hostnames": not all(number(address) for address in addresses),
        "users": [user.line for user in sentinel_users(host)] if host.redis.auth == "acl" else [],
        "watch": {
            "name": master.instance,
            "initial": {"host": master.address, "port": master.port},
            "members": members,
            "sentinels": _places(place for place in sentinel_addresses(fleet) if place != own),
            "options": {name: sentinel[option] for name, option in WATCH_OPTIONS.items()},
        },
    }


def resolve(fleet: Fleet, host: HostSettings) -> dict[str, Any]:
    """Return the data of one host.

    Keys: `root` and `run_dir` (paths), `unprivileged` (no users, no packages: a stack below a root of its own),
    `roles` with files there, `process_manager`, `logs`, and one mapping per section: `host`, `firewall`, `redis`,
    `sentinel`, `celery`, `backup`, `load`; `tls` names what is copied from the controller. Secrets are in clear: keep it out of
    logs.
    """
    root = host.stack.stack_root
    return {
        "name": host.name,
        "root": root,
        "run_dir": host.stack.stack_run_dir or f"{root}/run",
        "unprivileged": bool(root),
        "roles": _roles(host),
        "process_manager": host.stack.process_manager,
        "supervisor": {
            "daemon": host.stack.stack_supervisord_binary,
            "config": f"{root}/etc/supervisor/supervisord.conf",
            "socket": f"{host.stack.stack_run_dir or f'{root}/run'}/supervisor.sock",
        },
        "images": {"redis": host.stack.stack_image_redis, "worker": host.stack.stack_image_worker},
        "logs": host.stack.stack_logs,
        "host": host.host.model_dump(context=REVEAL),
        "firewall": {**host.firewall.model_dump(), "ports": guarded_ports(fleet, host)},
        "redis": {
            **host.redis.model_dump(context=REVEAL),
            "instances": _instances(fleet, host),
            "replicated": _replicated(fleet, host),
            "live_directives": LIVE_DIRECTIVES,
        },
        "tls": to_copy(fleet, host),
        "sentinel": _sentinel(fleet, host),
        "celery": _celery(fleet, host),
        "backup": _backup(host),
        "load": _load(host),
    }


def resolve_all(fleet: Fleet) -> dict[str, dict[str, Any]]:
    """Return the data of every host."""
    return {host.name: resolve(fleet, host) for host in fleet}
