"""Docker networks whose addresses may be fixed."""

from __future__ import annotations

import docker
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool


def make_network(client: docker.DockerClient, name: str, labels: dict[str, str]) -> Network:
    """Make a bridge network with a subnet that Docker found free; only a named subnet lets addresses be fixed."""
    draft = client.networks.create(f"{name}-draft", labels=labels)
    draft.reload()
    pool = subnet(draft)
    draft.remove()
    made = client.networks.create(name, labels=labels, ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=pool)]))
    return client.networks.get(str(made.id))


def subnet(network: Network) -> str:
    """Return the addresses of a network, as 172.18.0.0/16."""
    return str(network.attrs["IPAM"]["Config"][0]["Subnet"])
