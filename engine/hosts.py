"""The hosts of an inventory as containers: systemd as PID 1, reached over SSH as a server is."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.models.networks import Network

from engine.errors import NotPossible
from engine.images import CHECKOUT, ensure
from engine.networks import make_network, subnet
from engine.waiting import await_truth
from settings.localhost import MACHINE
from settings.secrets import passwords_yaml, write_private

LABEL = "redis-celery-stack.hosts"
IMAGE = "container_image"  # the inventory's variable
BOOT = 60.0  # seconds
WHEELHOUSE = "/srv/wheelhouse"  # in every host, read-only
# What systemd as PID 1 needs of a container; --privileged would be more than that. Without SYS_PTRACE units with
# PrivateUsers and ProtectProc do not start (217/USER): decision 014.
RIGHTS: dict[str, Any] = {
    "cap_add": ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "tmpfs": {"/run": "", "/run/lock": "", "/tmp": "exec"},  # noqa: S108 - in the container
    "cgroupns": "host",
}


@dataclass(frozen=True)
class Hosts:
    """The containers of one inventory."""

    client: docker.DockerClient
    inventory: Path

    @property
    def name(self) -> str:
        """Prefix of all names, other for every folder: two checkouts do not collide."""
        digest = hashlib.sha256(str(self.inventory.resolve()).encode()).hexdigest()[:8]
        return f"{self.inventory.resolve().name}-{digest}"

    @property
    def folder(self) -> Path:
        """Where the keys are."""
        return self.inventory.resolve().parents[1] / "build" / "hosts" / self.name

    @property
    def key(self) -> Path:
        """The private key of the operator."""
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The public keys of the hosts."""
        return self.folder / "known_hosts"

    def images(self) -> dict[str, str]:
        """Return host → image of the inventory's hosts.

        Raises:
            NotPossible: if the inventory cannot be read, or a host names no image.
        """
        listed = subprocess.run(
            ["ansible-inventory", "--inventory", str(self.inventory), "--list"],
            capture_output=True,
            text=True,
            check=False,
        )
        if listed.returncode:
            raise NotPossible(f"{self.inventory} cannot be read: {listed.stderr.strip()}")
        variables: Mapping[str, Mapping[str, Any]] = json.loads(listed.stdout)["_meta"]["hostvars"]
        without = sorted(name for name, of in variables.items() if IMAGE not in of)
        if without or not variables:
            raise NotPossible(
                f"{self.inventory}: {', '.join(without) or 'no host'} has no {IMAGE}: only hosts that name one run here."
            )
        return {name: str(of[IMAGE]) for name, of in variables.items()}

    def containers(self) -> dict[str, Container]:
        """Return host → container of those that exist."""
        found = self.client.containers.list(all=True, filters={"label": f"{LABEL}={self.name}"})
        return {str(container.labels[f"{LABEL}.host"]): container for container in found}

    def start(self) -> dict[str, str]:
        """Start what does not run; return host → address once every host takes commands over SSH.

        Raises:
            NotPossible: if an image cannot be had or a host does not boot.
        """
        wanted = self.images()
        tags = {image: ensure(self.client, image) for image in sorted(set(wanted.values()))}
        self._make_key()
        there = self.containers()
        if set(there) - set(wanted):
            raise NotPossible(f"{', '.join(sorted(set(there) - set(wanted)))} run and are not in {self.inventory}.")
        network = self._network()
        pool = ipaddress.ip_network(subnet(network))
        addresses = {name: str(pool[10 + number]) for number, name in enumerate(sorted(wanted))}
        for name, image in wanted.items():
            if name not in there:
                there[name] = self._create(name, tags[image], network, addresses[name])
            there[name].start()
        with ThreadPoolExecutor(len(there)) as pool_of_threads:
            public = list(pool_of_threads.map(self._ready, there.values()))
        write_private(
            self.known_hosts,
            "".join(f"{addresses[name]} {key}\n" for name, key in zip(there, public, strict=True)),
        )
        self._remember(addresses, str(pool))
        return addresses

    def remove(self) -> None:
        """Remove the containers, their network and this machine's values."""
        for container in self.containers().values():
            container.remove(force=True, v=True)
        for network in self.client.networks.list(filters={"label": f"{LABEL}={self.name}"}):
            network.remove()
        (self.inventory / MACHINE).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make_key(self) -> None:
        if self.key.exists():
            return
        if not shutil.which("ssh-keygen"):
            raise NotPossible("There is no ssh-keygen here: install openssh-client.")
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", str(self.key)]
        subprocess.run(words, check=True)

    def _network(self) -> Network:
        """Return the network, which is made where it is missing."""
        found = self.client.networks.list(filters={"label": f"{LABEL}={self.name}"})
        if found:
            return self.client.networks.get(str(found[0].id))
        return make_network(self.client, self.name, {LABEL: self.name})

    def _create(self, name: str, tag: str, network: Network, address: str) -> Container:
        volumes = {"/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "rw"}}
        wheels = CHECKOUT / "build" / "wheelhouse"
        if wheels.is_dir():
            volumes[str(wheels)] = {"bind": WHEELHOUSE, "mode": "ro"}
        container: Container = self.client.containers.create(
            tag,
            name=f"{self.name}-{name}",
            hostname=name,
            labels={LABEL: self.name, f"{LABEL}.host": name},
            volumes=volumes,
            network=network.name,
            networking_config={str(network.name): self.client.api.create_endpoint_config(ipv4_address=address)},
            **RIGHTS,
        )
        return container

    def _ready(self, container: Container) -> str:
        """Wait until SSH runs, let our key in; return the host's public key."""

        def public_key() -> str:
            try:
                code, output = container.exec_run(
                    ["sh", "-c", "systemctl is-active --quiet ssh && cat /etc/ssh/ssh_host_ed25519_key.pub"]
                )
            except (APIError, NotFound):
                return ""
            return output.decode().strip() if code == 0 and isinstance(output, bytes) else ""

        key = await_truth(f"the boot of {container.name}", public_key, BOOT)
        ours = self.key.with_suffix(".pub").read_text(encoding="utf-8").strip()
        authorized = "/home/deploy/.ssh/authorized_keys"
        script = f"printf '%s\\n' '{ours}' >{authorized} && chown deploy: {authorized} && chmod 0600 {authorized}"
        container.exec_run(["sh", "-c", script])
        return " ".join(key.split()[:2])

    def _remember(self, addresses: Mapping[str, str], network: str) -> None:
        """Write what the inventory needs of this machine; passwords that are there stay."""
        path = self.inventory / MACHINE
        kept = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else yaml.safe_load(passwords_yaml())
        options = f"-o UserKnownHostsFile={self.known_hosts} -o StrictHostKeyChecking=yes"
        values = {
            **kept,
            "machine_addresses": dict(addresses),
            "machine_networks": [network],
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": options,
        }
        text = "# This machine's containers, written by `make hosts`. Not committed.\n" + yaml.safe_dump(values)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_private(path, text)
