"""Which TLS files there are: on the controller, on servers, on clients, and who needs which."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from settings.fleet import Fleet, HostSettings
from settings.model.redis import RedisInstance, RedisOptions

SERVER_FOLDER, CLIENT_FOLDER = "/etc/redis/tls", "/etc/celery/tls"
OPERATOR = "operator"  # the client that verify is


@dataclass(frozen=True)
class TlsFiles:
    """An authority, and where one is shown a certificate with its key; empty paths where there is none."""

    authority: str
    certificate: str = ""
    key: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it for templates."""
        return {"authority": self.authority, "certificate": self.certificate, "key": self.key}


@dataclass(frozen=True)
class Store:
    """The directory on the controller."""

    folder: Path

    @property
    def authority(self) -> Path:
        """Certificates of the authorities that are trusted, one or several."""
        return self.folder / "ca.crt"

    @property
    def authority_key(self) -> Path:
        """Key of the authority; only issuing needs it."""
        return self.folder / "ca.key"

    @property
    def next_key(self) -> Path:
        """Key of an authority that is trusted already and does not sign yet."""
        return self.folder / "ca-next.key"

    def server(self, host: str) -> tuple[Path, Path]:
        """Return certificate and key of a host's Redis."""
        return self.folder / "servers" / f"{host}.crt", self.folder / "servers" / f"{host}.key"

    def client(self, name: str) -> tuple[Path, Path]:
        """Return certificate and key of a client: a host of Celery, or the operator."""
        return self.folder / "clients" / f"{name}.crt", self.folder / "clients" / f"{name}.key"


def store(host: HostSettings) -> Store:
    """Return the directory on the controller from which a host gets its certificates."""
    return Store(Path(host.tls.directory or Path(host.raw.directory, "tls")))


def copied(host: HostSettings) -> bool:
    """Whether the deploy brings a host its certificates."""
    return host.tls.source != "host"


def speaks_tls(fleet: Fleet) -> bool:
    """Whether any Redis of the fleet has a TLS port."""
    return any(instance.tls_port for host in fleet for instance in host.instances)


def is_server(fleet: Fleet, host: HostSettings) -> bool:
    """Whether a host needs the certificate of a server."""
    return any(one.tls_port for one in host.instances) or ("sentinel" in host.raw.groups and speaks_tls(fleet))


def reached(fleet: Fleet, host: HostSettings) -> list[RedisInstance]:
    """Return the instances with a TLS port that the Celery of a host connects to."""
    if not host.uses_celery or not host.redis.unmanaged:
        return []
    names = dict.fromkeys((host.celery.broker_instance, host.celery.result_instance))
    found = [pair[1] for name in names if (pair := fleet.find_instance(name))]
    return [instance for instance in found if instance.tls_port]


def is_client(fleet: Fleet, host: HostSettings) -> bool:
    """Whether the Celery of a host has to show a certificate."""
    return any(instance.tls_auth_clients == "yes" for instance in reached(fleet, host))


def server_files(host: HostSettings, options: RedisOptions) -> TlsFiles:
    """Return the files of an instance or a Sentinel, as its host has them."""
    if not copied(host):
        return TlsFiles(options.tls_ca_cert_file, options.tls_cert_file, options.tls_key_file)
    folder = host.stack.stack_root + SERVER_FOLDER
    return TlsFiles(f"{folder}/ca.crt", f"{folder}/server.crt", f"{folder}/server.key")


def as_written(host: HostSettings, instance: RedisInstance) -> RedisInstance:
    """Return an instance with the TLS files that its redis.conf names, wherever they came from."""
    files = server_files(host, instance)
    return instance.model_copy(
        update={
            "tls_ca_cert_file": files.authority,
            "tls_cert_file": files.certificate,
            "tls_key_file": files.key,
        }
    )


def client_files(client: HostSettings, instance: RedisInstance) -> TlsFiles:
    """Return the files with which the Celery of a host reaches an instance, as that host has them."""
    if copied(client):
        folder = client.stack.stack_root + CLIENT_FOLDER
        files = TlsFiles(f"{folder}/ca.crt", f"{folder}/client.crt", f"{folder}/client.key")
    else:
        own = client.celery
        files = TlsFiles(own.tls_ca_cert_file or instance.tls_ca_cert_file, own.tls_cert_file, own.tls_key_file)
    return files if instance.tls_auth_clients == "yes" else TlsFiles(files.authority)


def operator_files(host: HostSettings, instance: RedisInstance) -> TlsFiles:
    """Return the files with which this machine reaches an instance of a host. The key may be encrypted."""
    own = host.tls
    if copied(host):
        place = store(host)
        certificate, key = place.client(OPERATOR)
        given = TlsFiles(str(place.authority), str(certificate), str(key))
    else:
        given = client_files(host, instance)
    files = TlsFiles(
        own.operator_ca_file or given.authority,
        own.operator_cert_file or given.certificate,
        own.operator_key_file or given.key,
    )
    return files if instance.tls_auth_clients == "yes" else TlsFiles(files.authority)


def to_copy(fleet: Fleet, host: HostSettings) -> dict[str, dict[str, str]]:
    """Return what the deploy copies to a host: `server` and `client`, as paths on the controller; empty for nothing."""
    empty: dict[str, dict[str, str]] = {"server": {}, "client": {}}
    if not copied(host):
        return empty
    place = store(host)
    if is_server(fleet, host):
        certificate, key = place.server(host.name)
        empty["server"] = TlsFiles(str(place.authority), str(certificate), str(key)).as_dict()
    if is_client(fleet, host):
        certificate, key = place.client(host.name)
        empty["client"] = TlsFiles(str(place.authority), str(certificate), str(key)).as_dict()
    elif reached(fleet, host):
        empty["client"] = TlsFiles(str(place.authority)).as_dict()
    return empty
