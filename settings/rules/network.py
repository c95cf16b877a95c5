"""Rules of the network: who can reach Redis and Flower, and who can read along."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from settings.addresses import bare, is_every_interface, is_loopback, number
from settings.fleet import Fleet, HostSettings
from settings.model.redis import RedisInstance
from settings.rules.rule import ERROR, WARNING, Rule, Violation, at_instance, each_instance
from settings.tls import copied

SECURITY = "https://redis.io/docs/latest/operate/oss_and_stack/management/security/"
TLS = SECURITY + "encryption/"


def _far(instance: RedisInstance) -> list[str]:
    return [address for address in instance.bind if not is_loopback(address)]


def _open_without_password(fleet: Fleet) -> Iterator[Violation]:
    for host, _, instance in each_instance(fleet):
        if host.redis.auth == "none" and _far(instance):
            message = f"{instance.name} listens on {', '.join(_far(instance))} and lets everybody in"
            yield Violation(host, "redis_auth", message, value="none")


def _open_without_tls(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        if _far(instance) and (instance.port or not instance.tls_port):
            addresses = ", ".join(_far(instance))
            yield at_instance(host, index, "bind", f"{instance.name} speaks clear text on {addresses}", value=addresses)


def _tls_files(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        for option in ("tls_cert_file", "tls_key_file", "tls_ca_cert_file"):
            if instance.tls_port and not copied(host) and not getattr(instance, option):
                message = f"{instance.name} has tls_port {instance.tls_port} and no {option}"
                yield at_instance(host, index, option, message, value='""')


def _tls_old(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        old = [word for word in instance.tls_protocols.split() if word in ("TLSv1", "TLSv1.1")]
        if instance.tls_port and old:
            message = f"{instance.name} takes {', '.join(old)}"
            yield at_instance(host, index, "tls_protocols", message, value=instance.tls_protocols)


def _clients(fleet: Fleet) -> Iterator[tuple[HostSettings, int, RedisInstance, list[str]]]:
    """Yield every instance that Celery uses, with the other hosts that connect to it."""
    for server, index, instance in each_instance(fleet):
        if instance.replicaof:
            continue
        names = [
            host.name
            for host in fleet
            if host.redis.unmanaged and host.name != server.name and fleet.uses(host, instance.name)
        ]
        if names:
            yield server, index, instance, names


def _elsewhere(address: str, binds: list[str]) -> bool:
    """Whether a server that binds these numbers does not listen on an address; of names nobody knows."""
    named = any(is_every_interface(one) or not number(one) for one in binds)
    return not named and bare(address) not in [bare(one) for one in binds]


def _reachable(fleet: Fleet) -> Iterator[Violation]:
    for server, index, instance, clients in _clients(fleet):
        address = server.redis.advertise_address or server.address
        who = f"{clients[0]}" + (f" and {len(clients) - 1} more" if len(clients) > 1 else "")
        if not _far(instance):
            message = f"{instance.name} listens on loopback only, and {who} cannot reach it"
            yield at_instance(server, index, "bind", message, value=", ".join(instance.bind))
        elif is_loopback(address):
            variable = "redis_advertise_address" if server.redis.advertise_address else "ansible_host"
            message = f"{who} would look for {instance.name} on {address}, which is their own host"
            yield Violation(server, variable, message, value=address, fix="set redis_advertise_address")
        elif number(address) and _elsewhere(address, instance.bind):
            message = f"{who} would look for {instance.name} on {address}, where it does not listen"
            yield at_instance(server, index, "bind", message, value=", ".join(instance.bind))


def _managed_tls(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        url = urlsplit(host.redis.managed_url.get_secret_value())
        if url.scheme == "redis" and not is_loopback(url.hostname or ""):
            yield Violation(host, "redis_managed_url", f"the way to {url.hostname} is in clear text")


def _flower_open(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.members("flower"):
        if not is_loopback(host.celery.flower_bind):
            message = "Flower's password and the tasks' arguments cross the network in clear text"
            yield Violation(host, "celery_flower_bind", message, value=host.celery.flower_bind)


RULES = (
    Rule(
        id="open-without-password",
        severity=ERROR,
        says="An address beyond loopback asks for a password.",
        why="an open Redis is taken over within hours",
        source=SECURITY,
        fix="set redis_auth: acl",
        check=_open_without_password,
    ),
    Rule(
        id="open-without-tls",
        severity=ERROR,
        says="An address beyond loopback speaks TLS.",
        why="passwords and tasks cross the network in clear text",
        source=TLS,
        fix="set tls_port and port: 0, or accept the risk where the network itself is private",
        check=_open_without_tls,
    ),
    Rule(
        id="tls-files",
        severity=ERROR,
        says="A TLS port has its certificate, key and authority.",
        why="Redis refuses to start",
        source=TLS,
        fix="name the files, or write tls_source: generated",
        check=_tls_files,
        acceptable=False,
    ),
    Rule(
        id="tls-old",
        severity=WARNING,
        says="TLS is 1.2 or newer.",
        why="older versions are broken, and clients refuse them",
        source="RFC 8996",
        fix='write "TLSv1.2 TLSv1.3"',
        check=_tls_old,
    ),
    Rule(
        id="reachable",
        severity=ERROR,
        says="Workers reach the address that Redis listens on.",
        why="they would wait for a broker for ever",
        source="redis.conf, bind",
        fix="add the address to redis_bind, or set redis_advertise_address",
        check=_reachable,
    ),
    Rule(
        id="managed-tls",
        severity=ERROR,
        says="A managed Redis is reached by TLS.",
        why="passwords and tasks cross the network in clear text",
        source=TLS,
        fix="write rediss://",
        check=_managed_tls,
    ),
    Rule(
        id="flower-open",
        severity=ERROR,
        says="Flower listens on loopback.",
        why="it speaks no TLS: put a reverse proxy, a VPN or an SSH tunnel in front of it",
        source="https://flower.readthedocs.io/en/latest/reverse-proxy.html",
        fix="write 127.0.0.1",
        check=_flower_open,
    ),
)
