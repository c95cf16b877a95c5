"""What the role tells a Sentinel after its start: which master to watch, and as whom (plugins/modules/sentinel_live.py)."""

from __future__ import annotations

import contextlib
import json

from redis import RedisError

from bench.stage import Staged
from engine.waiting import await_truth
from settings.fleet import HostSettings
from verify.clients import login, sentinel_client

USER = "sentinel"  # of Redis, for Sentinels


def watch(staged: Staged, host: HostSettings, seconds: float) -> None:
    """Let the Sentinel of a host watch the master that its settings begin with.

    Raises:
        NotPossible: if it does not answer in time.
    """
    told = json.loads((staged.folder / "settings.json").read_text(encoding="utf-8"))[host.name]["sentinel"]["watch"]
    name, master = told["name"], told["initial"]
    secret = login(host, USER)
    options = {**told["options"], "auth-user": secret.get("username"), "auth-pass": secret.get("password")}
    with sentinel_client(staged.fleet, host, login(host, "admin")) as client:

        def answers() -> bool:
            with contextlib.suppress(RedisError, OSError):
                return bool(client.ping())
            return False

        await_truth(f"an answer of the Sentinel of {host.name}", answers, seconds)
        quorum = told["options"]["quorum"]
        client.execute_command("SENTINEL MONITOR", name, master["host"], master["port"], quorum)
        for option, value in options.items():
            if value is not None:
                client.execute_command("SENTINEL SET", name, option, value)
