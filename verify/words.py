"""Commands that hints tell people to type, for the process manager and the environment at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from settings.endpoints import Endpoint
from settings.fleet import HostSettings
from settings.model.redis import RedisInstance
from settings.tls import operator_files


def plural(count: int, noun: str) -> str:
    """Return "1 file" or "2 files"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def seconds(duration: float) -> str:
    """Return a duration with as many digits as a person reads."""
    return f"{duration * 1000:.1f} ms" if duration < 0.1 else f"{duration:.2f} s"


def size(count: float) -> str:
    """Return bytes in MiB."""
    return f"{count / 1024**2:.1f} MiB"


@dataclass(frozen=True)
class Words:
    """The wording of one run."""

    inventory: Path

    @property
    def environment(self) -> str:
        """The inventory's name, as make takes it in ENV."""
        return self.inventory.resolve().name

    def make(self, target: str) -> str:
        """Return a make command for this environment."""
        return f"make {target} ENV={self.environment}"

    def on(self, host: HostSettings) -> str:
        """Return " on <host>", or nothing where the stack is this machine's."""
        return "" if host.stack.stack_root else f" on {host.name}"

    def service(self, host: HostSettings, service: str) -> str:
        """Return the command that tells why a service does not run.

        Args:
            host: where it runs.
            service: as supervisor names it: `celery-worker-fast-1`, `celery-beat`, `redis-broker`.
        """
        if host.stack.process_manager == "supervisor":
            root = host.stack.stack_root
            return f"supervisorctl -c {root}/etc/supervisor/supervisord.conf tail {service}{self.on(host)}"
        unit = service.replace("celery-worker-", "celery-worker@", 1)
        return f"systemctl status {unit}; journalctl -u {unit}{self.on(host)}"

    def cli(self, host: HostSettings, instance: RedisInstance, command: str) -> str:
        """Return a command for redis-cli that asks for the admin's password, so that it stands in no process list."""
        endpoint = Endpoint.of(host, instance)
        files = operator_files(host, instance)
        shown = f" --cert {files.certificate} --key {files.key}" if files.certificate else ""
        tls = f" --tls --cacert {files.authority}{shown}" if endpoint.tls else ""
        user = (
            " --user admin --askpass"
            if host.redis.auth == "acl"
            else " --askpass"
            if host.redis.auth == "password"
            else ""
        )
        return f"{host.redis.cli_binary} -h {endpoint.address} -p {endpoint.port}{tls}{user} {command}"
