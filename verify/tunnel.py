"""The way to a Redis in a closed network: through SSH on a worker host, as the applications reach it.

Whoever verifies can log in to the hosts, as Ansible does; nothing says that the firewall lets him speak to Redis. So each
endpoint is forwarded over one ssh process per host, and name resolution of this process leads there. Names stay what
they are to everybody else: a certificate is checked against the server's own name.
"""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from settings.addresses import is_every_interface, is_loopback
from settings.endpoints import host_address
from settings.fleet import Fleet, HostSettings
from settings.inventory import read_inventory
from settings.localhost import free_ports
from settings.model.redis import RedisInstance
from verify.redirect import LOOPBACK, Address, redirected

CONNECTION = "ansible_"
PATIENCE = 20.0  # seconds that a login may take
POLL = 0.05


class NoTunnel(Exception):  # noqa: N818 - it says what is the matter
    """A host does not let us in; the message says what to do."""


def redis_addresses(host: HostSettings, instance: RedisInstance) -> tuple[list[Address], bool]:
    """Return the addresses of an instance that clients use, and whether only its own host reaches them."""
    address = host_address(host)
    ports = [port for port in (instance.port, instance.tls_port) if port]
    hidden = all(is_loopback(one) and not is_every_interface(one) for one in instance.bind)
    return [(name, port) for port in ports for name in ((address, LOOPBACK) if hidden else (address,))], hidden


def routes(fleet: Fleet, through: str = "") -> dict[str, dict[Address, Address]]:
    """Return host to log in to → address that a client asks for → address as that host reaches it.

    Args:
        fleet: whose Redis and Sentinels are asked.
        through: a host that reaches them; the first worker host by default.
    """
    workers = [fleet.hosts[through]] if through else fleet.members("celery") or fleet.celery_hosts() or list(fleet)
    found: dict[str, dict[Address, Address]] = {}
    for host in fleet:
        for instance in host.instances:
            addresses, hidden = redis_addresses(host, instance)
            via = host if hidden else workers[0]
            for name, port in addresses:
                found.setdefault(via.name, {})[name, port] = (LOOPBACK if hidden else name, port)
        if "sentinel" in host.raw.groups:
            watcher = (host_address(host), host.sentinel.port)
            found.setdefault(workers[0].name, {})[watcher] = watcher
    for host in fleet:
        if not host.redis.unmanaged:
            name, _, managed = host.redis.managed_address.split("/")[0].rpartition(":")
            found.setdefault(workers[0].name, {})[name, int(managed)] = (name, int(managed))
    return found


def connections(inventory: Path) -> dict[str, dict[str, Any]]:
    """Return host → Ansible's connection variables of the hosts that are reached over SSH."""
    hosts, _ = read_inventory(inventory, (CONNECTION,))
    values = {
        name: {variable.name: variable.value for variable in host.variables.values() if not variable.error}
        for name, host in hosts.items()
    }
    return {name: of for name, of in values.items() if str(of.get("ansible_connection", "ssh")) in ("ssh", "smart")}


def ssh(host: str, variables: Mapping[str, Any], *options: str) -> list[str]:
    """Return the words that log in to a host as Ansible does; a command may follow.

    Args:
        host: its name.
        variables: Ansible's connection variables.
        options: further options of ssh.
    """
    words = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={PATIENCE:g}", *options]
    for option, name in (("-i", "ansible_ssh_private_key_file"), ("-p", "ansible_port"), ("-l", "ansible_user")):
        if variables.get(name):
            words += [option, str(variables[name])]
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        words += shlex.split(str(variables.get(name) or ""))
    return [*words, str(variables.get("ansible_host") or host)]


def command(host: str, variables: Mapping[str, Any], forwards: Mapping[int, Address]) -> list[str]:
    """Return the ssh command that forwards local ports to addresses, with the options that Ansible would use."""
    options = ["-N", "-T", "-o", "ExitOnForwardFailure=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none"]
    for local, (address, port) in forwards.items():
        options += ["-L", f"{LOOPBACK}:{local}:{f'[{address}]' if ':' in address else address}:{port}"]
    return ssh(host, variables, *options)


def _await(process: subprocess.Popen[str], port: int, host: str) -> None:
    """Wait until ssh listens.

    Raises:
        NoTunnel: if it ends, or takes too long.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = (process.stderr.read() if process.stderr else "").strip()
            raise NoTunnel(
                f"{host} cannot be reached by SSH, through which Redis is asked: {said}. Check that `ssh` gets there, "
                "as Ansible does; nothing was asked."
            )
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
            return
        time.sleep(POLL)
    raise NoTunnel(f"{host} did not let us in by SSH within {PATIENCE:g} s: nothing was asked.")


@contextlib.contextmanager
def tunnel(fleet: Fleet, inventory: Path, through: str = "") -> Iterator[Mapping[Address, int]]:
    """Reach every Redis and Sentinel of a fleet of servers through their own SSH; nothing where all runs here.

    Yields:
        address → port of this machine that leads there, for processes that are started meanwhile.

    Args:
        fleet: whose Redis and Sentinels are reached.
        inventory: says how to log in.
        through: a host that reaches them; the first worker host by default.

    Raises:
        NoTunnel: if a host cannot be logged in to.
    """
    if all(host.stack.stack_root for host in fleet):
        yield {}
        return
    reached = connections(inventory)
    with contextlib.ExitStack() as stack:
        table: dict[Address, int] = {}
        for host, addresses in routes(fleet, through).items():
            if host not in reached:
                continue
            ports = free_ports(len(addresses))
            words = command(host, reached[host], dict(zip(ports, addresses.values(), strict=True)))
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is for us: what cleans up afterwards needs the way
            )
            stack.enter_context(process)
            stack.callback(process.terminate)
            _await(process, ports[0], host)
            table.update(zip(addresses, ports, strict=True))
        with redirected(table):
            yield table
