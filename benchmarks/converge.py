"""How long a re-converge takes: the whole stack against Redis alone as public roles do it, on one host, over SSH."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.timing import compare, seconds
from engine.daemon import engine
from engine.hosts import WHEELHOUSE, Hosts
from engine.images import CHECKOUT
from engine.wheelhouse import fill

HOST = "one"
# What issue "Servers" asks for: no longer than Redis alone.
RATIO_ALLOWED = 1.0
FIRST_DEPLOY = 900.0  # seconds: it installs packages, and builds the workers' environment
RECAP = re.compile(rf"^{HOST}\s+: ok=(\d+)\s+changed=(\d+)", re.MULTILINE)

INVENTORY: dict[str, Any] = {
    "all": {
        "vars": {
            "ansible_host": "{{ machine_addresses[inventory_hostname] }}",
            "ansible_user": "deploy",
            "ansible_become": True,
        },
        "hosts": {HOST: {"container_image": "host-debian-12"}},
    },
    **{group: {"hosts": {HOST: None}} for group in ("redis", "celery", "beat", "flower")},
    "sentinel": {},
}
# As inventories/staging, on one host: all that this repository puts on a server.
SETTINGS: dict[str, Any] = {
    "process_manager": "systemd",
    "redis_version": "7.0",
    "redis_bind": ["{{ ansible_host }}", "127.0.0.1"],
    "redis_maxmemory": "128mb",
    "firewall_enabled": True,
    "celery_networks": "{{ machine_networks }}",
    "backup_enabled": True,
    "accepted_risks": [{"id": "open-without-tls", "reason": "the host is gone after the benchmark"}],
    "celery_wheelhouse": WHEELHOUSE,
    "celery_queues": [{"name": "fast"}, {"name": "slow"}],
    "celery_task_default_queue": "fast",
    "celery_workers": [
        {"name": "fast", "queues": ["fast"], "concurrency": 2},
        {"name": "slow", "queues": ["slow"], "concurrency": 1},
    ],
    "celery_beat_schedule": [{"name": "heartbeat", "task": "probe.heartbeat", "every": 5, "expires": 5}],
}


def write_inventory(inventory: Path, sockets: Path) -> None:
    """Write an inventory of one host that does everything; `sockets` is where its SSH connection is kept."""
    values = inventory / "group_vars" / "all"
    values.mkdir(parents=True)
    inventory.joinpath("hosts.yml").write_text(yaml.safe_dump(INVENTORY), encoding="utf-8")
    # Not the operator's folder: the next host may have the same address, and a connection of its own.
    settings = {**SETTINGS, "ansible_control_path_dir": str(sockets)}
    values.joinpath("stack.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")


@contextmanager
def one_host() -> Iterator[Path]:
    """Start a host; yield its inventory. It is removed in any case.

    Raises:
        NotPossible: if no container can be had here.
    """
    client = engine()
    fill(CHECKOUT / "build" / "wheelhouse")
    with tempfile.TemporaryDirectory() as name:
        inventory = Path(name) / "inventories" / "benchmark"
        write_inventory(inventory, Path(name) / "ssh")
        hosts = Hosts(client, inventory)
        try:
            hosts.start()
            yield inventory
        finally:
            hosts.remove()


def settled(output: str) -> None:
    """Raise RuntimeError unless a play found all as it wants it: a change would be timed with it."""
    recap = RECAP.search(output)
    if not recap or int(recap[2]):
        raise RuntimeError(f"a re-converge changed something, or said nothing of {HOST}:\n{output[-2000:]}")


def measure() -> list[dict[str, object]]:
    """Return the row of the comparison: name, value, unit, bound, and what it is compared with.

    Raises:
        NotPossible: if no container can be had here.
        RuntimeError: if a play fails, or is not done the second time.
    """
    with one_host() as inventory:
        play = partial(_play, inventory)
        print(f"deploying {HOST}, which is compared after that")
        for playbook in ("site.yml", "benchmarks/plain.yml"):
            seconds(play(playbook), timeout=FIRST_DEPLOY)
        pair = compare(play("site.yml"), play("benchmarks/plain.yml"), check=settled)
    return [
        {
            "figure": "re-converge everything / Redis alone",
            "value": round(pair.ours / pair.rival, 2),
            "unit": "times",
            "bound": RATIO_ALLOWED,
            "detail": f"{pair.ours:.2f} s / {pair.rival:.2f} s, medians of {pair.runs} pairs",
        }
    ]


def _play(inventory: Path, playbook: str) -> list[str]:
    return ["ansible-playbook", "--inventory", str(inventory), str(CHECKOUT / playbook)]
