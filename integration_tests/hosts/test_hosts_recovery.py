"""What dies comes back: every service after kill -9, every host after a reboot."""

from __future__ import annotations

import time
from functools import partial

import pytest

from integration_tests.hosts.fleet import Fleet, await_boot, expected
from integration_tests.hosts.load import judge, streaming
from integration_tests.hosts.talk import master
from integration_tests.waiting import wait_until

BACK = 60.0  # seconds
SERVICES = [
    ("redis-1", "redis-broker"),
    ("redis-2", "redis-broker"),
    ("worker-1", "celery-worker@fast-1"),
    ("worker-2", "celery-worker@slow-1"),
    ("control-1", "sentinel"),
    ("control-1", "celery-beat"),
    ("control-1", "celery-flower"),
]


@pytest.mark.parametrize(("host", "unit"), SERVICES, ids=[f"{unit}-{host}" for host, unit in SERVICES])
def test_killed_service_is_started_again(fleet: Fleet, host: str, unit: str) -> None:
    """Restart=always: kill -9 of the main process; its manager starts it again."""
    before, began = fleet.pid(host, unit), time.monotonic()
    fleet.on(host, f"kill -9 {before}")
    wait_until(f"{unit} runs again", lambda: fleet.pid(host, unit) not in (0, before), BACK)
    print(f"{unit} on {host}: started again {time.monotonic() - began:.1f} s after kill -9")


def test_all_is_well_after_the_kills(fleet: Fleet) -> None:
    """Every promise is kept again, without a deploy."""
    wait_until("everything runs", lambda: fleet.units() == expected(fleet), BACK)
    fleet.healthy()


def test_transactions_survive_a_restart_of_redis(fleet: Fleet) -> None:
    """What kombu wrote in a transaction is read back from the append-only file: see docs/decisions/017."""
    assert ask_broker(fleet, "pipe = client.pipeline(transaction=True); pipe.sadd(key, 'kept'); pipe.execute()") == ""
    host = master(fleet)
    fleet.on(host, "systemctl restart redis-broker")
    assert ask_broker(fleet, "print(client.smembers(key)); client.srem(key, 'kept')").strip() == "{b'kept'}"
    assert "AOF-loading-client" not in fleet.on(host, "journalctl --no-pager -u redis-broker").output


def runs_all(fleet: Fleet, host: str) -> bool:
    """Return whether a host runs what the settings put there."""
    return fleet.units()[host] == expected(fleet)[host]


def ask_broker(fleet: Fleet, statement: str) -> str:
    """Run a line of Python on a worker host, with kombu's client of the broker at hand; return what it prints."""
    script = (
        "from celery import Celery; app = Celery(); app.config_from_object('celeryconfig'); "
        "client = app.connection().channel().client; "
        f"key = '_kombu.binding.of-a-test'; {statement}"
    )
    environment = "set -a; . /etc/celery/celery.env"
    return fleet.on("worker-1", f'{environment}; /opt/celery/current/venv/bin/python -c "{script}"').output


def test_reboot_of_every_host(fleet: Fleet) -> None:
    """One host after the other is restarted under load: all services return by themselves, in order; no task is lost."""
    with streaming(fleet) as stream:
        for host in ("worker-2", "control-1", "worker-1"):  # the stream goes through worker-1
            fleet.container(host).restart(timeout=120)
            await_boot(fleet, host)
            wait_until(f"{host} runs its services", partial(runs_all, fleet, host), BACK)
    verdict = judge(fleet, stream)
    print(f"reboot of the worker hosts: {verdict}")
    assert verdict.lost == []
    for host in ("redis-2", "redis-1"):
        fleet.container(host).restart(timeout=120)
        await_boot(fleet, host)
    wait_until("everything runs", lambda: fleet.units() == expected(fleet), BACK)
    wait_until("every promise is kept", lambda: not fleet.make("verify", expect=None).code, 180)
