"""Changes under a steady 50 tasks/s: none is lost, and none runs twice by the operation."""

from __future__ import annotations

import redis

from drill.history import Kind
from integration_tests.hosts.fleet import Fleet, changes, expected
from integration_tests.hosts.load import KEPT, LEDGER, Stream, judge, streaming
from settings.loader import load
from verify.clients import instance_client, login
from verify.tunnel import tunnel

MEGABYTE = 1024**2


def pids(fleet: Fleet) -> dict[str, int]:
    """Return `unit on host` → pid of everything that runs."""
    return {f"{unit} on {host}": fleet.pid(host, unit) for host, units in fleet.units().items() for unit in units}


def kept(fleet: Fleet, stream: Stream, what: str) -> None:
    """Fail unless every task ran, and once."""
    verdict = judge(fleet, stream)
    print(f"{what}: {verdict}")
    assert verdict.lost == []
    assert verdict.twice == []
    assert verdict.doubtful == 0


def test_the_judge_can_fail(fleet: Fleet) -> None:
    """A negative control: a task that nobody sent is lost, one that ran twice is twice."""
    with streaming(fleet) as stream:
        stream.stop()
        twice = stream.sent[0]
        stream.app.send_task("probe.ledger", kwargs={"entry_id": twice}, queue="fast", ignore_result=True)
    stream.history.append(Kind.ACKNOWLEDGED, "never-sent")
    verdict = judge(fleet, stream, seconds=5)
    assert verdict.lost == ["never-sent"]
    assert verdict.twice == [twice]


def test_rolling_restart(fleet: Fleet) -> None:
    """Make roll: every process of Celery is new, Redis is not touched."""
    before = pids(fleet)
    with streaming(fleet) as stream:
        fleet.make("roll")
    after = pids(fleet)
    assert set(after) == set(before)
    assert {unit for unit in after if after[unit] == before[unit]} == {
        unit for unit in after if "redis" in unit or "sentinel" in unit
    }
    kept(fleet, stream, "rolling restart")


def test_live_change_of_redis_and_rolled_change_of_workers(fleet: Fleet) -> None:
    """redis_maxmemory by CONFIG SET, a setting of the workers by a roll; the next deploy changes nothing."""
    before = pids(fleet)
    fleet.override_file.write_text("redis_maxmemory: 160mb\ncelery_worker_max_tasks_per_child: 900\n")
    with streaming(fleet) as stream:
        fleet.make("deploy")
    after = pids(fleet)
    assert {unit for unit in after if after[unit] != before[unit]} == {
        unit for unit in after if "celery-worker" in unit
    }
    assert set(changes(fleet.make("deploy")).values()) == {0}
    kept(fleet, stream, "live change and roll")


def test_append_only_file_off_and_on(fleet: Fleet) -> None:
    """redis_appendonly false, then true, live; after a kill -9 everything is there."""
    fleet.override_file.write_text(
        "redis_appendonly: false\naccepted_risks:\n"
        + "".join(
            f"  - {{id: {rule}, reason: a test of switching it on again}}\n"
            for rule in ("durable-broker", "old-master", "open-without-tls")
        )
    )
    fleet.make("deploy")
    fleet.override_file.unlink()
    with streaming(fleet) as stream:
        fleet.make("deploy")
    kept(fleet, stream, "append-only file switched on")


def test_rotation_of_all_passwords(fleet: Fleet) -> None:
    """Make rotate: two valid passwords in between; afterwards the old one is refused."""
    old = fleet.machine["redis_passwords"]["producer"]
    with streaming(fleet) as stream:
        fleet.make("rotate")
    assert fleet.machine["redis_passwords"]["producer"] != old
    assert "redis_previous_passwords" not in fleet.machine
    assert not admitted(fleet, "producer", old)
    assert admitted(fleet, "producer", fleet.machine["redis_passwords"]["producer"])
    fleet.healthy()
    verdict = judge(fleet, stream)
    print(f"rotation: {verdict}")
    assert (verdict.lost, verdict.twice) == ([], [])


def test_release_and_rollback(fleet: Fleet) -> None:
    """A changed source is a new release, rolled out; make rollback returns to the one before, rolled, and nobody notices."""
    first = release(fleet)
    source = fleet.folder / "tasks" / "probe" / "basic.py"
    text = source.read_text()
    source.write_text(text + "\n# another release\n")
    try:
        with streaming(fleet) as stream:
            fleet.make("deploy")
            second = release(fleet)
            fleet.make("rollback")
    finally:
        source.write_text(text)
    assert second != first
    assert release(fleet) == first
    kept(fleet, stream, "new release and rollback")
    refused = fleet.make("rollback", "RELEASE=0123456789ab", expect=2)
    assert "has no release 0123456789ab" in refused.said[-1]
    assert release(fleet) == first


def test_scale_in_and_out(fleet: Fleet) -> None:
    """Make decommission drains and leaves nothing; a deploy makes a worker host of the bare machine again."""
    fleet.on("worker-2", f"ln -f {LEDGER} {KEPT}")  # or what ran there would be forgotten with the host
    with streaming(fleet) as stream:
        fleet.make("decommission", "HOST=worker-2")
    left = fleet.on(
        "worker-2",
        "ls -d /etc/celery /opt/celery /var/lib/celery /var/log/celery /etc/systemd/system/celery* 2>/dev/null; "
        "pgrep -a -u celery 2>/dev/null; systemctl list-units --all --plain --no-legend 'celery*' 'redis-*'; nft list tables | grep celery",
        expect=None,
    ).output
    assert left == ""
    kept(fleet, stream, "scale in")
    fleet.on("worker-2", f"rm {KEPT}")
    fleet.make("deploy")
    assert fleet.units() == expected(fleet)
    fleet.healthy()


def release(fleet: Fleet) -> str:
    """Return the release that both worker hosts run."""
    found = {
        fleet.on(host, "basename $(readlink /opt/celery/current)").output.strip() for host in ("worker-1", "worker-2")
    }
    assert len(found) == 1
    return found.pop()


def admitted(fleet: Fleet, user: str, password: str) -> bool:
    """Return whether the broker lets a user in."""
    loaded = load(fleet.inventory).fleet
    found = loaded.find_instance("broker")
    assert found
    with tunnel(loaded, fleet.inventory):
        client = instance_client(*found, {**login(found[0], user), "password": password})
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return False
