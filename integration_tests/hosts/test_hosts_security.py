"""Who reaches what on the hosts: ports from outside, secrets from inside, and how much a unit leaves open."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from functools import partial

import pytest
from docker.models.containers import Container

from engine.images import ensure
from integration_tests.hosts.exposure import beyond
from integration_tests.hosts.fleet import Fleet

CONNECT = (
    "import socket, sys; s = socket.socket(); s.settimeout(5); code = s.connect_ex((sys.argv[1], int(sys.argv[2]))); "
    "print('in' if code == 0 else 'out')"
)
PLACES = "/etc /opt /var/lib/celery /var/lib/redis /var/log /run /tmp /home /srv"


@pytest.fixture
def outsider(fleet: Fleet) -> Iterator[Container]:
    """A machine in the same network that the inventory does not know."""
    (network,) = fleet.client.networks.list(names=[fleet.hosts.name])
    container = fleet.client.containers.run(
        ensure(fleet.client, "host-debian-12"),
        ["sleep", "600"],
        name=f"{fleet.hosts.name}-outsider",
        network=network.name,
        detach=True,
    )
    try:
        yield container
    finally:
        container.remove(force=True)


def reaches(machine: Container, address: str, port: int) -> bool:
    """Return whether a connection is let in."""
    _, output = machine.exec_run(["python3", "-c", CONNECT, address, str(port)])
    return isinstance(output, bytes) and output.decode().strip() == "in"


def test_redis_is_reached_by_workers_and_by_nobody_else(fleet: Fleet, outsider: Container) -> None:
    """Worker hosts get in; a machine beside them does not, on no port of ours; SSH stays open to it."""
    addresses = fleet.machine["machine_addresses"]
    for host in ("redis-1", "redis-2"):
        assert reaches(fleet.container("worker-1"), addresses[host], 6379)
        assert not reaches(outsider, addresses[host], 6379)
        assert reaches(outsider, addresses[host], 22)
    assert not reaches(outsider, addresses["control-1"], 5555)


def test_units_keep_their_bounds(fleet: Fleet) -> None:
    """systemd-analyze security on the live hosts: celery ≤ 1.0, redis ≤ 1.2."""
    for host, units in fleet.units().items():
        ours = [f"{unit}.service" for unit in units if unit.startswith(("celery-", "redis-", "sentinel"))]
        assert beyond(partial(run_on, fleet, host), *ours) == {}


def run_on(fleet: Fleet, host: str, words: Sequence[str]) -> str:
    """Run a command on a host; return what it printed."""
    return fleet.on(host, shlex.join(words)).output


def test_no_output_shows_a_secret(fleet: Fleet) -> None:
    """Every line that make ever said to us, and every report of it."""
    assert len(fleet.secrets) > 10
    said = [run.output for run in fleet.runs]
    said += [file.read_text() for file in fleet.logs if file.name != "settings.json"]
    found = {secret[:4] for secret in fleet.secrets for text in said if secret in text}
    assert len(said) > 3
    assert found == set()


def test_workers_tell_no_secret(fleet: Fleet) -> None:
    """What anybody with the rights of a monitor may ask of a worker: its statistics and its configuration."""
    ask = "cd /var/lib/celery; set -a; . /etc/celery/celery.env; /opt/celery/current/venv/bin/celery --app tasks.app:app inspect"
    for what in ("stats", "conf"):
        said = fleet.on("worker-1", f"{ask} {what}").output
        assert "fast-1@worker-1" in said
        assert [secret[:4] for secret in fleet.secrets if secret in said] == []


def test_no_secret_lies_open_on_a_host(fleet: Fleet) -> None:
    """No file that others may read, no argument of a process, no log; a file that only root reads shows that the search finds."""
    pattern = "\n".join(sorted(fleet.secrets))
    for host in fleet.hosts.containers():
        with on_host(fleet, host, pattern) as file:
            control = fleet.on(host, f"grep -rlF -f {file} /etc/celery /etc/redis 2>/dev/null", expect=None).output
            assert control, f"{host}: the search finds nothing at all"
            readable = (
                f"find {PLACES} -xdev -type f -perm -o=r -exec grep -lF -f {file} {{}} + 2>/dev/null | grep -v {file}"
            )
            # a directory that others cannot enter closes what is in it
            files = fleet.on(host, readable, expect=None).output.split()
            as_nobody = [
                name
                for name in files
                if not fleet.on(host, f"runuser -u nobody -- cat {name} >/dev/null", expect=None).code
            ]
            assert as_nobody == []
            assert (
                fleet.on(
                    host, f"cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -cF -f {file}", expect=None
                ).output.strip()
                == "0"
            )
            assert fleet.on(host, f"journalctl --no-pager | grep -cF -f {file}", expect=None).output.strip() == "0"
            logs = f"grep -rlF -f {file} /var/log --include='*.log' 2>/dev/null"
            assert fleet.on(host, logs, expect=None).output == ""


@contextlib.contextmanager
def on_host(fleet: Fleet, host: str, text: str) -> Iterator[str]:
    """Put a text into a file of a host that only root reads."""
    file = "/root/patterns-of-a-test"
    fleet.on(host, f"umask 077; cat >{file} <<'END'\n{text}\nEND")
    try:
        yield file
    finally:
        fleet.on(host, f"rm -f {file}")
