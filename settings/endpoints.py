"""Where clients find Redis, and as whom: the URLs of broker and results."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from settings.addresses import bare, is_every_interface, is_loopback
from settings.fleet import Fleet, HostSettings
from settings.model.redis import RedisInstance
from settings.tls import TlsFiles, client_files, operator_files


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
        address = host.redis.advertise_address or host.address
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


def redis_url(fleet: Fleet, client: HostSettings, instance: str, db: int, user: str, *, operator: bool = False) -> str:
    """Return the URL by which `client` reaches an instance as a user.

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
    found = fleet.find_instance(instance)
    if found is None:
        raise LookupError(f"no host runs an instance {instance!r}")
    server, options = found
    endpoint = Endpoint.of(server, options, client)
    address = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    if not endpoint.tls:
        return f"redis://{_login(server, user)}{address}:{endpoint.port}/{db}"
    files = operator_files(server, options) if operator else client_files(client, options)
    return f"rediss://{_login(server, user)}{address}:{endpoint.port}/{db}?{tls_query(files)}"


def tls_query(files: TlsFiles) -> str:
    """Return the part of a URL that names TLS files, as redis-py and kombu read it."""
    query = f"ssl_cert_reqs=required&ssl_ca_certs={files.authority}"
    return query + (f"&ssl_certfile={files.certificate}&ssl_keyfile={files.key}" if files.certificate else "")


def broker_url(fleet: Fleet, client: HostSettings, user: str, *, operator: bool = False) -> str:
    """Return the broker's URL for a user; see `redis_url`."""
    url = redis_url(fleet, client, client.celery.broker_instance, client.celery.broker_db, user, operator=operator)
    if client.celery.transport == "redis-plus":
        return url.replace("rediss://", "valkeys://", 1).replace("redis://", "valkey://", 1)
    return url


def result_url(fleet: Fleet, client: HostSettings, user: str, *, operator: bool = False) -> str:
    """Return the result backend's URL for a user; see `redis_url`."""
    return redis_url(fleet, client, client.celery.result_instance, client.celery.result_db, user, operator=operator)
