"""Security: over TLS, who shows no certificate of the deployment's own authority stays out, and is not fooled himself."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisError

from bench.ledger import Ledger
from bench.stack import Stack
from bench.stage import Mutation
from integration_tests.promise import Proof, promise, variant
from settings.certificates import now
from settings.endpoints import host_address
from settings.fleet import Fleet
from settings.issue import bring_up_to_date
from unit_tests.settings.fleets import fleet_of
from verify.clients import login
from verify.clients import options as patience

pytestmark = variant(tls_source="generated", redis_port=0, redis_tls_port=6379)

ANYBODY = Mutation(
    "no certificate is asked for", "*/etc/redis/broker.conf", r"^tls-auth-clients yes$", "tls-auth-clients no"
)
YEAR = datetime.timedelta(days=366)


def issue(folder: Path, at: datetime.datetime | None = None) -> Path:
    """Issue what the authority of a folder lacks there, which is founded if there is none; for a host named `one`."""
    case = {"tls_source": "generated", "tls_directory": str(folder), "redis_tls_port": 6379, "redis_port": 0}
    fleet, problems = fleet_of(case)
    assert isinstance(fleet, Fleet), problems
    bring_up_to_date(fleet, at or now(), may_found=True, vault_password=None, say=lambda line: None)
    return folder


def pair(folder: Path, name: str = "one") -> dict[str, str]:
    """Return a client's certificate and key as redis-py names them."""
    return {"ssl_certfile": str(folder / f"clients/{name}.crt"), "ssl_keyfile": str(folder / f"clients/{name}.key")}


def own(stack: Stack) -> Path:
    """Return where the authority of the stack is."""
    return stack.staged.inventory / "tls"


def without_certificate(stack: Stack, folder: Path) -> dict[str, Any]:
    return {"ssl": True, "ssl_ca_certs": str(own(stack) / "ca.crt")}


def of_another_authority(stack: Stack, folder: Path) -> dict[str, Any]:
    return {"ssl": True, "ssl_ca_certs": str(own(stack) / "ca.crt"), **pair(issue(folder / "other"))}


def ended(stack: Stack, folder: Path) -> dict[str, Any]:
    copied = shutil.copytree(own(stack), folder / "ended")
    shutil.rmtree(copied / "clients")
    return {"ssl": True, "ssl_ca_certs": str(copied / "ca.crt"), **pair(issue(copied, now() - YEAR))}


def in_clear(stack: Stack, folder: Path) -> dict[str, Any]:
    return {}


def trusting_another_authority(stack: Stack, folder: Path) -> dict[str, Any]:
    other = issue(folder / "other")
    return {"ssl": True, "ssl_ca_certs": str(other / "ca.crt"), **pair(own(stack), "operator")}


def connects(stack: Stack, options: dict[str, Any]) -> bool:
    """Whether a client with the worker's password and these options gets an answer."""
    host = stack.fleet.hosts[stack.redis.host.name]
    everything: dict[str, Any] = {**patience(), **login(host, "worker"), **options}
    try:
        with Redis(host=host_address(host), port=host.instances[0].tls_port, **everything) as client:
            return bool(client.ping())
    except (RedisError, OSError):  # InvalidResponse, where the server answers by TLS and we do not
        return False


@pytest.mark.parametrize(
    "stranger",
    [of_another_authority, ended, in_clear, trusting_another_authority],
    ids=lambda stranger: str(stranger.__name__).replace("_", " "),
)
@promise(
    "tls-strangers-out",
    "Over TLS nobody gets in without a valid certificate of the deployment's authority, even with the right password.",
    fault="a connection with another, an ended or no certificate, or in clear text",
    settings=("tls_source", "redis_tls_auth_clients", "redis_port"),
    unit="connections",
    exactly=0,
)
def test_strangers_stay_out(
    stack: Stack, proof: Proof, tmp_path: Path, stranger: Callable[[Stack, Path], dict[str, Any]]
) -> None:
    proof(connects(stack, stranger(stack, tmp_path)))


@promise(
    "tls-certificate-asked",
    "A password alone opens nothing where TLS is on.",
    fault="a connection with the right password and no certificate",
    settings=("redis_tls_auth_clients",),
    unit="connections",
    exactly=0,
    mutations=(ANYBODY,),
)
def test_a_password_alone_opens_nothing(stack: Stack, proof: Proof, tmp_path: Path) -> None:
    assert connects(stack, {**without_certificate(stack, tmp_path), **pair(own(stack), "operator")}), "with one it does"
    proof(connects(stack, without_certificate(stack, tmp_path)))


@promise(
    "tls-old-protocols-refused",
    "Protocols older than TLS 1.2 are not spoken.",
    fault="what the server says that it speaks",
    settings=("redis_tls_protocols",),
    unit="old protocols",
    exactly=0,
)
def test_old_protocols_are_not_spoken(stack: Stack, proof: Proof) -> None:
    # A client of this machine's OpenSSL refuses TLS 1.1 by itself: a handshake would prove nothing.
    with stack.client() as admin:
        spoken = set(admin.config_get("tls-protocols")["tls-protocols"].split())
    assert spoken, "an empty list would be OpenSSL's own choice"
    proof(len(spoken - {"TLSv1.2", "TLSv1.3"}), " ".join(sorted(spoken)))


@promise(
    "tls-tasks-run",
    "Over TLS tasks are sent, run and answered as ever.",
    fault="none",
    settings=("tls_source", "redis_tls_port"),
    unit="tasks lost",
    exactly=0,
)
def test_tasks_run_over_tls(stack: Stack, ledger: Ledger, proof: Proof) -> None:
    assert stack.publish(stack.app.signature("probe.add", (1, 2))).get(timeout=10) == 3
    ledger.send(20)
    proof(len(ledger.judge(10).lost), "of 20")
