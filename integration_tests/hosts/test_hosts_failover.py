"""The master dies: a replica takes over, workers go on, and no later deploy undoes it."""

from __future__ import annotations

import time

from integration_tests.hosts.fleet import Fleet, changes
from integration_tests.hosts.load import judge, ledger, streaming
from integration_tests.hosts.talk import REDIS_HOSTS, master, replication
from integration_tests.waiting import wait_until

CONSUMES = 15.0  # seconds within which workers consume from the new master
NODE = "worker-1"


def follows(fleet: Fleet, host: str) -> bool:
    """Return whether a host's Redis is a replica in sync."""
    found = replication(fleet, host)
    return found.get("role") == "slave" and found.get("master_link_status") == "up"


def ran(fleet: Fleet, prefix: str) -> int:
    """Count the tasks of a stream that ran."""
    return sum(entry.startswith(prefix) for entry in ledger(fleet))


def test_killed_master_is_replaced_and_stays_replaced(fleet: Fleet) -> None:
    """Kill -9, and the unit stays down for long enough: consumed again within 15 s; the promoted master stays the master."""
    old = master(fleet)
    (new,) = set(REDIS_HOSTS) - {old}
    with streaming(fleet) as stream:
        # down for good until it is started: Restart=always would bring it back before anybody is promoted
        fleet.on(old, "systemctl kill --signal=KILL redis-broker; systemctl stop redis-broker")
        began, count = time.monotonic(), ran(fleet, stream.prefix)
        wait_until("a replica is promoted", lambda: replication(fleet, new).get("role") == "master", 60)
        promoted = time.monotonic() - began
        sent = len(stream.sent)
        wait_until("publishes are accepted again", lambda: len(stream.sent) > sent, 60)
        wait_until("tasks run again", lambda: ran(fleet, stream.prefix) > count, 60)
        consumed = time.monotonic() - began
    fleet.make("deploy")  # starts what shall run
    wait_until("the old master follows", lambda: follows(fleet, old), 60)
    verdict = judge(fleet, stream)
    print(f"failover: promoted after {promoted:.1f} s, consumed again after {consumed:.1f} s; {verdict}")
    assert consumed <= CONSUMES
    assert verdict.lost == []
    assert changes(fleet.make("deploy")) == dict.fromkeys(fleet.hosts.containers(), 0)
    assert master(fleet) == new
    fleet.healthy()


def test_restart_setting_rolls_redis_behind_a_failover(fleet: Fleet) -> None:
    """A setting that only a restart can change: replica first, then the master hands over; nothing is lost."""
    before = {host: fleet.pid(host, "redis-broker") for host in REDIS_HOSTS}
    old = master(fleet)
    fleet.override_file.write_text("redis_databases: 17\n")
    with streaming(fleet) as stream:
        run = fleet.make("deploy")
    assert {host: fleet.pid(host, "redis-broker") != before[host] for host in REDIS_HOSTS} == dict.fromkeys(
        REDIS_HOSTS, True
    )
    assert master(fleet) != old
    assert "databases" in run.output
    verdict = judge(fleet, stream)
    print(f"restart of both Redis, one after the other: {verdict}")
    assert verdict.lost == []


def test_upgrade_replica_first(fleet: Fleet) -> None:
    """A newer package of the distribution: replica, failover, old master; the stack runs on, verified by the same command."""
    newer = newer_package(fleet)
    before, old = {host: fleet.pid(host, "redis-broker") for host in REDIS_HOSTS}, master(fleet)
    with streaming(fleet) as stream:
        fleet.make("upgrade")
    for host in REDIS_HOSTS:
        assert fleet.on(host, "dpkg-query -f '${Version}' -W redis-server").output == newer
        assert fleet.pid(host, "redis-broker") != before[host]
    assert master(fleet) != old
    verdict = judge(fleet, stream)
    print(f"upgrade: {verdict}")
    assert verdict.lost == []


def newer_package(fleet: Fleet) -> str:
    """Offer both Redis hosts the distribution's own packages under a newer version; return it."""
    script = """
set -e
apt-get -qq update; mkdir -p /srv/newer; cd /srv/newer; rm -rf *
apt-get -qq download redis-server redis-tools >/dev/null
: >Packages
for deb in *.deb; do
    dpkg-deb -R "$deb" tree; rm "$deb"
    sed -i 's/^Version: .*/&+newer1/; s/\\(redis-[a-z]* (= [^)]*\\))/\\1+newer1)/g' tree/DEBIAN/control
    name=$(sed -n 's/^Package: //p' tree/DEBIAN/control); dpkg-deb -b tree "$name.deb" >/dev/null; rm -rf tree
    { dpkg-deb -f "$name.deb"; echo "Filename: ./$name.deb"; stat -c 'Size: %s' "$name.deb"; sha256sum "$name.deb" | sed 's/\\([^ ]*\\).*/SHA256: \\1/'; echo; } >>Packages
done
echo 'deb [trusted=yes] file:/srv/newer ./' >/etc/apt/sources.list.d/newer.list
dpkg-deb -f redis-server.deb Version
"""
    return {fleet.on(host, script).output.split()[-1] for host in REDIS_HOSTS}.pop()
