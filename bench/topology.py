"""What the roles tell running services after their start, and no file says (docs/decisions/005).

Who follows whom, and which master a Sentinel watches: plugins/modules/redis_topology.py, sentinel_live.py.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

from redis import Redis, RedisError

from bench.stage import Staged
from engine.waiting import await_truth
from settings.fleet import HostSettings
from verify.clients import login, sentinel_client

USER = "sentinel"  # of Redis, for Sentinels


def told(staged: Staged, host: str) -> dict[str, Any]:
    """Return the staged data of a host."""
    everything: dict[str, dict[str, Any]] = json.loads((staged.folder / "settings.json").read_text(encoding="utf-8"))
    return everything[host]


def follow(admin: Redis, staged: Staged, host: str, instance: str) -> None:
    """Let a replica follow its master, also after a restart; a master is left alone."""
    (options,) = [one for one in told(staged, host)["redis"]["instances"] if one["name"] == instance]
    if options["replicaof"]:
        admin.replicaof(*options["replicaof"].split())
        admin.config_rewrite()


def watch(staged: Staged, host: HostSettings, seconds: float) -> None:
    """Let the Sentinel of a host watch the master that the settings begin with.

    Raises:
        NotPossible: if it does not answer in time.
    """
    watched = told(staged, host.name)["sentinel"]["watch"]
    name, master, options = watched["name"], watched["initial"], watched["options"]
    secret = login(host, USER)
    with sentinel_client(staged.fleet, host, login(host, "admin")) as client:

        def answers() -> bool:
            with contextlib.suppress(RedisError, OSError):
                return bool(client.ping())
            return False

        await_truth(f"an answer of the Sentinel of {host.name}", answers, seconds)
        client.execute_command("SENTINEL MONITOR", name, master["host"], master["port"], options["quorum"])
        for option, value in {**options, "auth-user": secret["username"], "auth-pass": secret["password"]}.items():
            client.execute_command("SENTINEL SET", name, option, value)
