"""One Debian 13 server under supervisor, with the transport redis-plus; it ran the distribution's Redis before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_tests.evidence import FAILED
from integration_tests.hosts.fleet import Fleet, await_boot, changes, fleet_of
from integration_tests.hosts.talk import cli
from integration_tests.waiting import wait_until

HOST = "one"
MIRROR_DOWN = "/etc/apt/apt.conf.d/99-mirror-down"
KEYS = 1000
SUPERVISED = {"celery-beat", "celery-worker-fast-1", "celery-worker-slow-1", "redis-broker"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A server on which the distribution's Redis runs, with data."""
    with fleet_of(tmp_path_factory.mktemp("single") / "clone", tmp_path_factory.mktemp("home"), "single") as fleet:
        fleet.make("hosts")
        fleet.on(
            HOST, "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y redis-server >/dev/null"
        )
        fleet.on(HOST, "systemctl start redis-server")
        fleet.on(HOST, f"for i in $(seq {KEYS}); do echo SET before:$i $i; done | redis-cli >/dev/null")
        yield fleet


@pytest.fixture(autouse=True)
def heal(server: Fleet, request: pytest.FixtureRequest) -> Iterator[None]:
    """After a failure the mirror is there again, so that the next test tells something of its own."""
    yield
    if request.node.stash.get(FAILED, False):
        server.on(HOST, f"rm -f {MIRROR_DOWN}", expect=None)


def supervised(server: Fleet) -> dict[str, str]:
    """Return program → state."""
    lines = server.on(HOST, "supervisorctl status", expect=None).output.splitlines()
    return {line.split()[0]: line.split()[1] for line in lines if len(line.split()) > 1}


def test_mirror_that_is_down_mid_run(server: Fleet) -> None:
    """Packages cannot be had: the last line names host, packages and what to do; what ran before runs on."""
    server.on(HOST, f'echo \'Acquire::http::Proxy "http://127.0.0.1:9"; Acquire::Retries "0";\' >{MIRROR_DOWN}')
    run = server.make("deploy", expect=2)
    assert "Traceback" not in run.output
    assert run.said[-1].startswith(f"{HOST}: ")
    assert "supervisor" in run.said[-1]
    assert "apt-get update" in run.said[-1]
    assert server.on(HOST, "redis-cli dbsize").output.strip() == str(KEYS)
    server.on(HOST, f"rm {MIRROR_DOWN}")


def test_the_distributions_redis_is_taken_over(server: Fleet) -> None:
    """A rerun heals; the data set of Debian's redis-server is in our instance, and Debian's is off for good."""
    server.make("deploy")
    assert server.on(HOST, "systemctl is-enabled redis-server", expect=None).output.strip() == "masked"
    assert keys(server) == KEYS
    assert supervised(server) == dict.fromkeys(SUPERVISED, "RUNNING")


def test_again_changes_nothing(server: Fleet) -> None:
    """changed=0 under supervisor, too; what verify can ask on this machine is kept, the rest says what it lacks."""
    assert changes(server.make("deploy")) == {HOST: 0}
    rows = server.verify()
    assert {row["status"] for row in rows} <= {"passed", "skipped"}
    assert len([row for row in rows if row["status"] == "passed"]) > 15


def test_a_worker_group_that_is_gone_leaves_nothing(server: Fleet) -> None:
    """A group taken out of the settings is drained, stopped, and its file removed; put back, it runs again."""
    server.override_file.write_text(
        "celery_routes: []\ncelery_queues: [{name: fast}]\ncelery_workers: [{name: fast, queues: [fast], concurrency: 2, limit_nofile: 10032}]\n"
    )
    server.make("deploy")
    assert supervised(server) == dict.fromkeys(SUPERVISED - {"celery-worker-slow-1"}, "RUNNING")
    assert "slow" not in server.on(HOST, "ls /etc/supervisor/conf.d").output
    server.override_file.unlink()
    server.make("deploy")
    assert supervised(server) == dict.fromkeys(SUPERVISED, "RUNNING")


def test_reboot(server: Fleet) -> None:
    """Everything returns by itself, with its data."""
    server.container(HOST).restart(timeout=120)
    await_boot(server, HOST)
    wait_until("supervisor runs everything", lambda: supervised(server) == dict.fromkeys(SUPERVISED, "RUNNING"), 90)
    assert keys(server) == KEYS


def keys(server: Fleet) -> int:
    """Count the keys that were there before the stack."""
    return len(cli(server, HOST, "admin", "--scan --pattern 'before:*'").split())
