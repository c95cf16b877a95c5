"""Where clients find Redis, and as whom: the URLs of broker and results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from settings.addresses import bare, is_every_interface, is_loopback
from settings.fleet import Fleet, HostSettings
from settings.model.redis import RedisInstance
from settings.tls import TlsFiles, client_files, operator_files


def host_address(host: HostSettings) -> str:
    """Return the address by which other hosts reach one."""
    return host.redis.advertise_address or host.address


@dataclass(frozen=True)
class Endpoint:
    """A Redis instance as a client sees it."""

    instance: str
    address: str
    port: int
    tls: bool

    @classmethod
    def of(cls, host: HostSettings, instance: RedisInstance, client: HostSettings | None = None) -> Endpoint:
        """Return the endpoint of an instance, as `client` reaches it; TLS where it has a port for it."""
        address = host_address(host)
        if client is not None and client.name == host.name:
            address = local_address(instance, address)
        return cls(instance.name, address, instance.tls_port or instance.port, bool(instance.tls_port))


def local_address(instance: RedisInstance, address: str) -> str:
    """Return the address by which its own host reaches an instance that others reach by `address`."""
    loopback = next((bare(one) for one in instance.bind if is_loopback(one)), "")
    if loopback and (all(is_loopback(one) for one in instance.bind) or not instance.tls_port):
        return loopback
    if any(is_every_interface(one) for one in instance.bind) and not instance.tls_port:
        return "127.0.0.1"
    return address  # a certificate holds for the name that everybody uses


def _login(host: HostSettings, user: str) -> str:
    if host.redis.auth == "acl":
        return f"{quote(user, safe='')}:{quote(host.redis.passwords[user].get_secret_value(), safe='')}@"
    if host.redis.auth == "password" and host.redis.password:
        return f":{quote(host.redis.password.get_secret_value(), safe='')}@"
    return ""


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def through_sentinel(fleet: Fleet, client: HostSettings, instance: str) -> bool:
    """Whether a host of Celery asks Sentinel where the master of an instance is."""
    sentinel = client.sentinel
    return client.redis.unmanaged and sentinel.enabled and instance == sentinel.master_name and fleet.watched(instance)


def sentinel_addresses(fleet: Fleet) -> list[tuple[str, int]]:
    """Return address and port of every Sentinel."""
    return [(host_address(host), host.sentinel.port) for host in fleet.members("sentinel")]


def redis_url(fleet: Fleet, client: HostSettings, instance: str, db: int, user: str, *, operator: bool = False) -> str:
    """Return the URL by which `client` reaches an instance as a user; of several parts where it asks Sentinels.

    A `sentinel://` URL carries the login of Redis; that of the Sentinels and TLS are transport options: see
    `sentinel_options`.

    Args:
        fleet: all hosts.
        client: who connects.
        instance: name of the instance.
        db: number of the database.
        user: whose password stands in the URL.
        operator: name the TLS files of this machine, not those of the client's host.

    Raises:
        LookupError: if no host runs the instance; the rule `instance-found` refuses that before.
    """
    if not client.redis.unmanaged:
        parts = urlsplit(client.redis.managed_url.get_secret_value())
        query = parts.query or (
            f"ssl_cert_reqs=required&ssl_ca_certs={client.redis.managed_ca_file}"
            if client.redis.managed_ca_file
            else "ssl_cert_reqs=required"
        )
        path = f"/{db}" if parts.path in ("", "/") else parts.path
        return urlunsplit((parts.scheme, parts.netloc, path, query if parts.scheme == "rediss" else parts.query, ""))
    if through_sentinel(fleet, client, instance):
        login = _login(client, user)
        return ";".join(
            f"sentinel://{login}{_in_url(address)}:{port}/{db}" for address, port in sentinel_addresses(fleet)
        )
    found = fleet.find_instance(instance)
    if found is None:
        raise LookupError(f"no host runs an instance {instance!r}")
    server, options = found
    endpoint = Endpoint.of(server, options, client)
    place = f"{_login(server, user)}{_in_url(endpoint.address)}:{endpoint.port}/{db}"
    if not endpoint.tls:
        return f"redis://{place}"
    files = operator_files(server, options) if operator else client_files(client, options)
    return f"rediss://{place}?{tls_query(files)}"


def sentinel_options(fleet: Fleet, client: HostSettings) -> dict[str, Any]:
    """Return what a `sentinel://` URL cannot say: `master_name` and `tls` (of Redis and of the Sentinels alike).

    The Sentinels know the same users as Redis: their login is that of the URL. Empty where no Sentinel is asked.
    """
    name = client.sentinel.master_name
    found = fleet.find_instance(name)
    if not found or not through_sentinel(fleet, client, name):
        return {}
    tls = tls_arguments(client_files(client, found[1])) if found[1].tls_port else {}
    return {"master_name": name, "tls": tls}


def tls_arguments(files: TlsFiles) -> dict[str, str]:
    """Return TLS files as redis-py and kombu name them."""
    shown = {"ssl_certfile": files.certificate, "ssl_keyfile": files.key} if files.certificate else {}
    return {"ssl_cert_reqs": "required", "ssl_ca_certs": files.authority, **shown}


def tls_query(files: TlsFiles) -> str:
    """Return the part of a URL that names TLS files, as redis-py and kombu read it."""
    return "&".join(f"{name}={value}" for name, value in tls_arguments(files).items())


def broker_url(fleet: Fleet, client: HostSettings, user: str, *, operator: bool = False) -> str:
    """Return the broker's URL for a user; see `redis_url`."""
    url = redis_url(fleet, client, client.celery.broker_instance, client.celery.broker_db, user, operator=operator)
    if client.celery.transport == "redis-plus":
        return url.replace("rediss://", "valkeys://", 1).replace("redis://", "valkey://", 1)
    return url


def result_url(fleet: Fleet, client: HostSettings, user: str, *, operator: bool = False) -> str:
    """Return the result backend's URL for a user; see `redis_url`."""
    return redis_url(fleet, client, client.celery.result_instance, client.celery.result_db, user, operator=operator)
