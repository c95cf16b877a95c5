"""A host of the inventory: a container that holds its address and network, which the host's services join.

It has the programs that cut the network, so that what is proven runs as it is deployed, with nothing added to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from docker.models.containers import Container
from testcontainers.core.container import DockerContainer

from bench.run import Run
from engine.images import ensure

Cut = Literal["drop", "reject"]  # silent, as an unplugged cable; or refused, as a closed port

# Both ways, and nothing of the loopback: what runs on the host still reaches itself.
RULES = """table inet bench {{
  chain in {{ type filter hook input priority 0; iif != lo {match} {verdict}; }}
  chain out {{ type filter hook output priority 0; oif != lo {match_out} {verdict}; }}
}}"""


class Failed(Exception):  # noqa: N818 - it says what did not work
    """A command in a container did not do what it was meant to."""


@dataclass
class Said:
    """What a command came to."""

    code: int
    output: str


def execute(container: Container, words: list[str]) -> Said:
    """Run a command in a container."""
    code, output = container.exec_run(words)
    return Said(int(code or 0), output.decode(errors="replace") if isinstance(output, bytes) else "")


class Host:
    """One address on the run's network."""

    def __init__(self, run: Run, name: str, address: str) -> None:
        """Start the container."""
        self.name = name
        self.address = address
        endpoint = run.client.api.create_endpoint_config(ipv4_address=address)
        label = f"bench-{run.id}-{address.replace('.', '-')}"
        self._holder = DockerContainer(ensure(run.client, "tools"), name=label, command="sleep infinity").with_kwargs(
            hostname=name,
            labels=run.labels,
            cap_add=["NET_ADMIN"],
            init=True,
            network=run.network.name,
            networking_config={str(run.network.name): endpoint},
        )
        self._holder.start()

    @property
    def container(self) -> Container:
        """The container whose network the services join."""
        return self._holder.get_wrapped_container()

    def cut(self, how: Cut, peer: str = "") -> None:
        """Let no packet through, to or from everybody or one address."""
        match, match_out = (f"ip saddr {peer}", f"ip daddr {peer}") if peer else ("", "")
        verdict = "drop" if how == "drop" else "reject with icmpx type port-unreachable"
        self._nft("table inet bench\ndelete table inet bench")
        self._nft(RULES.format(match=match, match_out=match_out, verdict=verdict))

    def throttle(self, rate: str) -> None:
        """Slow down what the host sends, to a rate as tc(8) writes it: 256kbit."""
        self._tc("replace", "root", "tbf", "rate", rate, "burst", "4kb", "latency", "2s")

    def heal(self) -> None:
        """Let everything through again, at full speed."""
        self._nft("table inet bench\ndelete table inet bench")
        self._tc("replace", "root", "noqueue")

    def _tc(self, action: str, *words: str) -> None:
        self._tool("tc", "qdisc", action, "dev", "eth0", *words)

    def _nft(self, text: str) -> None:
        self._tool("nft", text)

    def _tool(self, *words: str) -> None:
        said = execute(self.container, list(words))
        if said.code:
            raise Failed(f"{self.name}: {' '.join(words)} exited {said.code}: {said.output}")

    def remove(self) -> None:
        """Remove the container."""
        self._holder.stop()
