"""Rules of the firewall: whoever needs a port is let in, and nobody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from settings.addresses import is_loopback, number
from settings.firewall import guards, server_names, servers, sources
from settings.fleet import Fleet, HostSettings
from settings.rules.rule import ERROR, WARNING, Rule, Violation

SOURCE = "nft(8)"


def _guarding(fleet: Fleet) -> Iterator[HostSettings]:
    yield from (host for host in fleet if host.firewall.enabled)


def _root(fleet: Fleet) -> Iterator[Violation]:
    for host in _guarding(fleet):
        if host.stack.stack_root:
            message = f"a stack below {host.stack.stack_root} is run by a user who may not change the packet filter"
            yield Violation(host, "firewall_enabled", message, value="true")


def _address(fleet: Fleet) -> Iterator[Violation]:
    needed: dict[str, tuple[HostSettings, str]] = {}
    for host in _guarding(fleet):
        for guard in guards(fleet, host):
            for client in guard.clients:
                if not sources(client):
                    needed.setdefault(client.name, (client, host.name))
    for client, server in needed.values():
        message = f"the firewall of {server} has to let it in, and cannot by {client.address}"
        yield Violation(client, "ansible_host", message, value=client.address)


def _everybody(fleet: Fleet) -> Iterator[Violation]:
    for host in _guarding(fleet):
        for variable, networks in (
            ("firewall_allow", host.firewall.allow),
            ("firewall_allow_flower", host.firewall.allow_flower),
        ):
            for index, network in enumerate(networks):
                if ipaddress.ip_network(network).prefixlen == 0:
                    yield Violation(host, variable, "this is everybody", path=(index,), value=network)


def _flower(fleet: Fleet) -> Iterator[Violation]:
    for host in _guarding(fleet):
        if "flower" in host.raw.groups and not is_loopback(host.celery.flower_bind) and not host.firewall.allow_flower:
            message = f"Flower listens on {host.celery.flower_bind}, and nobody is let in"
            yield Violation(host, "firewall_allow_flower", message, value="[]")


def _networks(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        if host.celery.networks:
            managed = urlsplit(host.redis.managed_url.get_secret_value()).hostname
            found = [managed] if managed else [server_names(other)[0] for other in servers(fleet, host)]
            for name in dict.fromkeys(name for name in found if not number(name)):
                message = f"Redis is found by the name {name}, and a packet filter lets through numbers"
                yield Violation(host, "celery_networks", message, value=", ".join(host.celery.networks))


RULES = (
    Rule(
        id="firewall-root",
        severity=ERROR,
        says="The firewall is set up on servers only, not below a directory of a user's.",
        why="nft would be refused, and the ports stay open",
        source=SOURCE,
        fix="write firewall_enabled: false, or leave stack_root empty",
        check=_root,
        acceptable=False,
    ),
    Rule(
        id="firewall-address",
        severity=ERROR,
        says="A host that a firewall has to let in is known by a number.",
        why="a packet filter knows no names: one that it resolved at boot, without a resolver yet, would shut the workers out",
        source=SOURCE,
        fix="set firewall_addresses for it, as [10.0.0.5]",
        check=_address,
        acceptable=False,
    ),
    Rule(
        id="firewall-everybody",
        severity=ERROR,
        says="The firewall lets in networks, not everybody.",
        why="a firewall that lets everybody in looks like one and is none",
        source=SOURCE,
        fix="name the networks, or say firewall_enabled: false",
        check=_everybody,
    ),
    Rule(
        id="firewall-flower",
        severity=WARNING,
        says="Flower beyond loopback has somebody who may open it.",
        why="the page would be unreachable, and seem broken",
        source=SOURCE,
        fix="name the networks in firewall_allow_flower",
        check=_flower,
    ),
    Rule(
        id="networks-names",
        severity=WARNING,
        says="Where Celery is confined to networks, Redis is found by a number.",
        why="workers whose networks hold neither the resolver nor the address behind the name would wait for a broker",
        source="systemd.resource-control(5), IPAddressAllow",
        fix="see that celery_networks holds both, then accept the risk; or set redis_advertise_address to a number",
        check=_networks,
    ),
)
