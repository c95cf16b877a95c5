"""Who is the master at run time? Sentinel knows; before there is one, the servers do; at the very first, the settings."""

from __future__ import annotations

import subprocess
from typing import Any

from ansible.module_utils.redis_cli import Client, RefusedError, parse_info

Address = tuple[str, int]
SILENT = (ConnectionError, RefusedError, subprocess.TimeoutExpired)
PATIENCE = 3  # seconds that one server among several may take


def pairs(answer: str) -> dict[str, str]:
    """Read a flat list of names and values, a line each, as redis-cli prints a map."""
    lines = answer.split("\n")
    return dict(zip(lines[::2], lines[1::2]))


def ask(params: dict[str, Any], server: dict[str, Any], *words: str) -> str:
    """Ask one server with the first password that it accepts; return an empty answer where it is silent or refuses."""
    client = Client({**params, **server}, patience=PATIENCE)
    for password in params["passwords"] or [""]:
        client.password = password
        try:
            return client.call(*words)
        except SILENT:
            continue
    return ""


def told_by_sentinels(params: dict[str, Any], sentinels: list[dict[str, Any]], name: str) -> Address | None:
    """Return the master of the newest epoch that a Sentinel knows: one that was cut off knows an older one."""
    answers = [pairs(ask(params, sentinel, "SENTINEL", "MASTER", name)) for sentinel in sentinels]
    known = [answer for answer in answers if answer.get("name") == name]
    if not known:
        return None
    newest = max(known, key=lambda answer: int(answer["config-epoch"]))
    return newest["ip"], int(newest["port"])


def told_by_members(params: dict[str, Any], members: list[dict[str, Any]]) -> Address | None:
    """Return the master among the servers; of several, the one that has replicas."""
    masters: list[tuple[int, Address]] = []
    for member in members:
        info = parse_info(ask(params, member, "INFO", "replication"))
        if info.get("role") == "master":
            masters.append((int(info["connected_slaves"]), (member["host"], member["port"])))
    if len(masters) == 1 or (masters and max(masters)[0] > 0):
        return max(masters)[1]
    return None


def find_master(
    params: dict[str, Any], sentinels: list[dict[str, Any]], members: list[dict[str, Any]], name: str
) -> tuple[Address | None, str]:
    """Return the master at run time and who told it: sentinel, servers, or nobody.

    Args:
        params: how each is reached: `cli`, `tls`, `user`, `passwords`.
        sentinels: `host` and `port` of each Sentinel.
        members: `host` and `port` of each server, as Sentinel and replicas know it.
        name: of the master, as Sentinel knows it.
    """
    found = told_by_sentinels(params, sentinels, name)
    if found:
        return found, "sentinel"
    found = told_by_members(params, members)
    return found, "servers" if found else "nobody"
