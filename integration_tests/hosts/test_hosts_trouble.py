"""What goes wrong on the way: the deploy ends with the sentence that helps, nothing is half done, a rerun heals."""

from __future__ import annotations

import os

from integration_tests.hosts.fleet import VENV, Fleet, await_boot, changes


def logins(fleet: Fleet) -> dict[str, int]:
    """Return host → SSH logins so far."""
    return {
        host: int(fleet.on(host, "journalctl --no-pager -u ssh | grep -c 'Accepted publickey'", expect=None).output)
        for host in fleet.hosts.containers()
    }


def test_wrong_inventory_stops_before_the_first_host(fleet: Fleet) -> None:
    """A contradiction: neither make nor the play itself, without make's check, logs in to any host."""
    fleet.override_file.write_text("celery_task_soft_time_limit: 60\n")
    before = logins(fleet)
    assert "nothing was touched" in fleet.make("deploy", expect=2).said[-1]
    path = {"PATH": f"{VENV / 'bin'}{os.pathsep}{fleet.environment['PATH']}"}
    play = fleet.run("ansible-playbook", "-i", f"inventories/{fleet.name}", "site.yml", expect=2, env=path)
    assert "celery_task_soft_time_limit" in play.output
    assert "nothing was touched" in play.output
    assert logins(fleet) == before


def test_unreachable_host(fleet: Fleet) -> None:
    """A host is down: it is named, no other host is changed; back again, the deploy goes through."""
    fleet.override_file.write_text("redis_maxmemory: 144mb\n")
    fleet.container("worker-2").stop(timeout=120)
    try:
        run = fleet.make("deploy", expect=2)
    finally:
        fleet.container("worker-2").start()
        await_boot(fleet, "worker-2")
    assert any("worker-2" in line for line in run.said[-3:])
    assert sum(changes(run).values()) == 0
    fleet.make("deploy")
    fleet.healthy()


def test_full_disk(fleet: Fleet) -> None:
    """No room for a file: it is named, the old one is whole; with room again, the deploy goes through."""
    fleet.override_file.write_text("redis_maxmemory: 152mb\n")
    fleet.on(
        "redis-2",
        "cp -a /etc/redis /root/etc-redis && mount -t tmpfs -o size=256k tmpfs /etc/redis && cp -a /root/etc-redis/. /etc/redis/ && "
        "chown --reference=/root/etc-redis /etc/redis && chmod --reference=/root/etc-redis /etc/redis; "
        "dd if=/dev/zero of=/etc/redis/.filler bs=1k 2>/dev/null; true",
    )
    before = fleet.on("redis-2", "md5sum /etc/redis/broker.conf").output
    try:
        run = fleet.make("deploy", expect=2)
        assert fleet.on("redis-2", "md5sum /etc/redis/broker.conf").output == before
    finally:
        fleet.on("redis-2", "umount /etc/redis && rm -rf /root/etc-redis")
    said = "\n".join(run.said[-5:])
    assert "redis-2: /etc/redis/broker.conf cannot be written: No space left on device" in said
    fleet.make("deploy")
    fleet.healthy()
