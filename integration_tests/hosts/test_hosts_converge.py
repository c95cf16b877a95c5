"""From bare servers to a verified stack, and again without a change."""

from __future__ import annotations

import re

from integration_tests.hosts.fleet import Fleet, changes, expected


def test_plan_on_bare_hosts_tells_all_and_touches_nothing(bare: Fleet) -> None:
    """Files, services and packages of every host; afterwards no unit, no user, no file is there."""
    plan = bare.make("plan")
    assert set(changes(plan)) == set(bare.hosts.containers())
    assert all(count > 0 for host, count in changes(plan).items())
    for host, units in expected(bare).items():
        line = next(line for line in plan.output.splitlines() if line.startswith(f"{host}: "))
        for unit in units:
            assert unit in line
        assert bare.on(host, "ls /etc/celery /etc/redis /opt/celery 2>/dev/null", expect=None).output == ""
        assert bare.on(host, "id celery", expect=None).code != 0
    assert bare.units() == {host: [] for host in bare.hosts.containers()}


def test_deploy_makes_it_so(bare: Fleet) -> None:
    """From nothing to a table without a failed row, which names each host; everything that shall run does."""
    bare.make("deploy")
    assert bare.units() == expected(bare)
    rows = bare.verify()
    assert {row["status"] for row in rows} <= {"passed", "accepted"}
    told = " ".join(row["subject"] for row in rows)
    assert all(host in told for host in bare.hosts.containers())


def test_again_changes_nothing(fleet: Fleet) -> None:
    """changed=0 on every host, and no process was started anew."""
    before = {host: [fleet.pid(host, unit) for unit in units] for host, units in fleet.units().items()}
    run = fleet.make("deploy")
    assert changes(run) == dict.fromkeys(fleet.hosts.containers(), 0)
    assert {host: [fleet.pid(host, unit) for unit in units] for host, units in fleet.units().items()} == before
    print(f"re-converged {len(before)} hosts in {run.seconds:.1f} s")


def test_plan_on_provisioned_hosts_is_empty(fleet: Fleet) -> None:
    """Nothing would change, and the last lines say so."""
    plan = fleet.make("plan")
    assert changes(plan) == dict.fromkeys(fleet.hosts.containers(), 0)
    assert len(re.findall(r"^\S+: as the settings say$", plan.output, re.MULTILINE)) == len(fleet.hosts.containers())


def test_plan_tells_live_from_restart(fleet: Fleet) -> None:
    """One setting of Redis that changes live, one of the workers that does not; nothing is touched."""
    fleet.override_file.write_text("redis_maxmemory: 160mb\ncelery_worker_max_tasks_per_child: 900\n")
    before = fleet.units()
    plan = fleet.make("plan").output
    lines = {line.split(":")[0]: line for line in plan.splitlines() if re.match(r"^\S+: \d+ file", line)}
    assert "live: maxmemory; by restart: nothing" in lines["redis-1"]
    assert "by restart: celery-worker@fast-1, celery-worker@slow-1" in lines["worker-1"]
    assert f"maxmemory: {128 * 1024**2} -> {160 * 1024**2} (live)" in plan
    assert fleet.units() == before
