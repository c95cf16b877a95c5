"""What one run of tests or drills has made: labelled, told apart from every other run, removed at its end."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from uuid import uuid4

import docker
from docker.errors import APIError, NotFound
from docker.models.networks import Network
from testcontainers.core.config import testcontainers_config

from engine.networks import make_network, subnet

LABEL = "redis-celery-stack.run"
OWNER = f"{LABEL}.pid"  # who removes it: a run whose process is gone has left it behind
FOLDER = f"{LABEL}.folder"
CHECKOUT = Path(__file__).resolve().parents[1]
FIRST_HOST = 10  # addresses below are Docker's own
MOST_HOSTS = 200

# The reaper of testcontainers is an image that a machine without a registry cannot pull; labels do the same.
testcontainers_config.ryuk_disabled = True


class Run:
    """A run's network and folder, and the labels of all that it makes."""

    def __init__(self, client: docker.DockerClient, folder: Path | None = None) -> None:
        """Make the network; what dead runs have left is removed first.

        Args:
            client: of Docker.
            folder: for staged files and data; build/bench/<id> if not given.
        """
        sweep(client)
        self.client = client
        self.id = uuid4().hex[:8]
        self.folder = folder or CHECKOUT / "build" / "bench" / self.id
        self.folder.mkdir(parents=True, exist_ok=True)
        self.labels = {LABEL: self.id, OWNER: str(os.getpid()), FOLDER: str(self.folder)}
        self.network: Network = make_network(client, f"bench-{self.id}", self.labels)
        usable = ipaddress.ip_network(subnet(self.network)).hosts()
        self._free = deque(str(one) for one in islice(usable, FIRST_HOST, FIRST_HOST + MOST_HOSTS))

    def address(self) -> str:
        """Return an address that no other host of this run has now; one that was released comes last."""
        return self._free.popleft()

    def release(self, addresses: Iterable[str]) -> None:
        """Take addresses back."""
        self._free.extend(addresses)

    def close(self) -> None:
        """Remove every container, network, mount and file of this run."""
        _remove(self.client, self.id, self.folder)

    def __enter__(self) -> Run:
        """Return the run itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what it has made."""
        self.close()


def sweep(client: docker.DockerClient) -> None:
    """Remove what runs of this machine have left whose process is gone: killed, or the machine was."""
    chosen: dict[str, str | list[str] | bool] = {"label": LABEL}
    containers = [
        container.labels for container in client.containers.list(all=True, filters=chosen, ignore_removed=True)
    ]
    networks = [network.attrs["Labels"] for network in client.networks.list(filters=chosen)]
    dead = {of[LABEL]: of[FOLDER] for of in (*containers, *networks) if not Path(f"/proc/{of[OWNER]}").exists()}
    for run, folder in dead.items():
        _remove(client, run, Path(folder))


def _remove(client: docker.DockerClient, run: str, folder: Path) -> None:
    chosen: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={run}"}
    with ExitStack() as steps:  # each is taken, whatever becomes of the others
        steps.callback(shutil.rmtree, folder, ignore_errors=True)
        steps.callback(_unmount, folder)
        for network in client.networks.list(filters=chosen):
            steps.callback(_remove_network, network)
        for container in client.containers.list(all=True, filters=chosen, ignore_removed=True):
            try:
                container.remove(force=True, v=True)
            except (APIError, NotFound) as error:
                if getattr(error, "status_code", 0) not in (404, 409):  # gone, or being removed
                    raise


def _remove_network(network: Network) -> None:
    """Remove it, unless another run that sweeps at the same moment was faster."""
    with suppress(NotFound):
        network.remove()


def _unmount(folder: Path) -> None:
    """Detach the disks of bench/disk.py; their loop devices go with the mounts."""
    mounts = Path("/proc/mounts")
    there = mounts.read_text(encoding="utf-8").splitlines() if mounts.exists() else []
    for line in there:
        point = line.split()[1].replace("\\040", " ")
        if Path(point).is_relative_to(folder):
            subprocess.run(["umount", point], check=False)
