"""Generate an inventory of many hosts."""

from __future__ import annotations

from pathlib import Path

import yaml

from settings.acl import BUILT_IN


def write_inventory(folder: Path, hosts: int) -> None:
    """Write an inventory: one Redis, one beat, the rest workers; addresses are documentation's (RFC 5737)."""
    names = [f"host{number:03d}" for number in range(1, hosts + 1)]
    workers = names[1:] or names
    inventory = {
        "all": {"hosts": {name: {"ansible_host": f"192.0.2.{number}"} for number, name in enumerate(names, start=1)}},
        "redis": {"hosts": {names[0]: None}},
        "celery": {"hosts": dict.fromkeys(workers)},
        "beat": {"hosts": {workers[0]: None}},
        "flower": {},
        "sentinel": {},
    }
    values = {
        "redis_bind": ["{{ ansible_host }}"],
        "accepted_risks": [{"id": "open-without-tls", "reason": "no host of this inventory exists"}],
        "redis_maxclients": 50 * hosts + 100,
        "redis_limit_nofile": 50 * hosts + 200,
        "redis_passwords": {name: f"{{{{ '{name}' * 8 }}}}" for name in BUILT_IN},
    }
    folder.joinpath("group_vars").mkdir(parents=True)
    folder.joinpath("hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    folder.joinpath("group_vars", "all.yml").write_text(yaml.safe_dump(values), encoding="utf-8")
