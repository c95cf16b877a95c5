"""Which port of a host is reached from where, as the packet filter has to say it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from settings.addresses import is_loopback, number
from settings.fleet import Fleet, HostSettings
from settings.model.redis import RedisInstance


@dataclass(frozen=True)
class Guard:
    """Ports of one service on one host, and the hosts of the fleet that need them."""

    service: str  # part of nft's names: letters, digits, - and _
    ports: tuple[int, ...]
    clients: tuple[HostSettings, ...]
    extra: tuple[str, ...]  # addresses and networks of the inventory


def guards(fleet: Fleet, host: HostSettings) -> Iterator[Guard]:
    """Yield what is guarded on a host; loopback is never."""
    allow = tuple(host.firewall.allow)
    for instance in host.instances:
        ports = tuple(port for port in (instance.port, instance.tls_port) if port)
        yield Guard(f"redis-{instance.name}", ports, tuple(_clients(fleet, host, instance)), allow)
    if "sentinel" in host.raw.groups:
        watched = host.sentinel.master_name
        members = tuple(
            other
            for other in fleet
            if other.uses_celery
            or other.generates
            or "sentinel" in other.raw.groups
            or any(instance.name == watched for instance in other.instances)  # the deploy asks there who the master is
        )
        yield Guard("sentinel", (host.sentinel.port,), _others(members, host), allow)
    if "flower" in host.raw.groups:
        yield Guard("flower", (host.celery.flower_port,), (), tuple(host.firewall.allow_flower))


def _clients(fleet: Fleet, server: HostSettings, instance: RedisInstance) -> Iterator[HostSettings]:
    """Yield the other hosts that connect to an instance: Celery's, generators, its replicas or master, Sentinels."""
    for host in fleet:
        celery = fleet.uses(host, instance.name)
        copies = any(other.name == instance.name for other in host.instances)
        watches = "sentinel" in host.raw.groups
        if host.name != server.name and (celery or copies or watches):
            yield host


def _others(hosts: Iterable[HostSettings], host: HostSettings) -> tuple[HostSettings, ...]:
    return tuple(other for other in hosts if other.name != host.name)


def sources(host: HostSettings) -> list[str]:
    """Return the addresses that a host connects from; none where the inventory has only a name, or loopback."""
    if host.firewall.addresses:
        return host.firewall.addresses
    known = number(host.address)
    return [str(known)] if known and not is_loopback(host.address) else []


def merged(networks: Iterable[str], version: int) -> list[str]:
    """Return the networks of an IP version, sorted, none within another: nft refuses a set that overlaps."""
    read = (ipaddress.ip_network(network) for network in networks)
    if version == 4:
        kept4 = ipaddress.collapse_addresses(one for one in read if isinstance(one, ipaddress.IPv4Network))
        return [_short(one) for one in kept4]
    kept6 = ipaddress.collapse_addresses(one for one in read if isinstance(one, ipaddress.IPv6Network))
    return [_short(one) for one in kept6]


def _short(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def ports(fleet: Fleet, host: HostSettings) -> list[dict[str, object]]:
    """Return what the template writes: name, ports and the sources that are let in, per service of a host."""
    if not host.firewall.enabled:
        return []
    found: list[dict[str, object]] = []
    for guard in guards(fleet, host):
        allowed = [*guard.extra, *(address for client in guard.clients for address in sources(client))]
        found.append(
            {
                "name": guard.service,
                "ports": sorted(guard.ports),
                "ipv4": merged(allowed, 4),
                "ipv6": merged(allowed, 6),
            }
        )
    return found


def confined_to(fleet: Fleet, host: HostSettings) -> list[str]:
    """Return the only addresses that Celery's units may talk to, loopback aside; empty where `celery_networks` is."""
    if not host.celery.networks:
        return []
    found = [*host.celery.networks, *host.firewall.allow_flower]
    for other in servers(fleet, host):
        found += [str(known) for known in (number(address) for address in server_names(other)) if known]
    return [*merged(found, 4), *merged(found, 6)]


def servers(fleet: Fleet, client: HostSettings) -> list[HostSettings]:
    """Return the other hosts whose Redis or Sentinel a host's Celery talks to."""
    names = (client.celery.broker_instance, client.celery.result_instance)
    return [
        host
        for host in fleet
        if host.name != client.name
        and ("sentinel" in host.raw.groups or any(instance.name in names for instance in host.instances))
    ]


def server_names(host: HostSettings) -> tuple[str, ...]:
    """Return the addresses or names that clients find a host's Redis by."""
    return tuple(dict.fromkeys((host.redis.advertise_address or host.address, host.address)))
