"""A fleet as its settings say is asked once; whatever is broken by hand is found, and the next deploy mends it."""

from __future__ import annotations

import json

from integration_tests.hosts.fleet import VENV, Fleet, changes

ASK = """
- name: Judge the inventory
  hosts: all
  roles: [preflight]

- name: Ask
  hosts: all
  vars:
    stack: "{{ preflight_fleet.hosts[inventory_hostname] }}"
  tasks:
    - name: Ask every host for all its roles at once
      settled:
      register: asked
    - name: Write what they said
      ansible.builtin.copy:
        content: "{{ asked.differing | to_json }}"
        dest: "{{ playbook_dir }}/build/asked-{{ inventory_hostname }}.json"
        mode: "0644"
      delegate_to: localhost
      become: false
      vars: {ansible_connection: local}
"""
CLI = "REDISCLI_AUTH={password} redis-cli --user admin -h 127.0.0.1"
# Host, what is done to it by hand, and who finds it. None of them is undone before the end.
BROKEN = (
    ("redis-1", "echo '# by hand' >>/etc/redis/broker.conf", "redis: write_files"),
    ("worker-1", "chmod 0644 /etc/celery/celery.env", "celery: write_files"),
    ("redis-2", f"{CLI} CONFIG SET maxmemory 99mb", "redis: redis_live"),
    ("redis-1", f"{CLI} ACL SETUSER worker +flushall", "redis: redis_live"),
    ("redis-2", "systemctl disable redis-broker", "redis: systemd_units"),
    ("redis-2", "truncate --size 0 /var/lib/redis/broker/topology.conf", "redis: redis_topology"),
    ("redis-2", f"{CLI} -p 26379 SENTINEL SET broker down-after-milliseconds 99000", "sentinel: sentinel_live"),
    ("control-1", "systemctl stop sentinel", "sentinel: systemd_units"),
    ("redis-1", "systemctl stop backup-redis.timer", "backup: systemd_units"),
    ("redis-1", "nft delete table inet redis_celery", "firewall: nft_table"),
    ("worker-1", "systemctl stop celery-worker@slow-1", "celery: systemd_units"),
    ("worker-2", "touch /etc/systemd/system/celery-worker@.service", "celery: systemd_units"),
    ("worker-2", "rm /opt/celery/releases/*/.complete", "celery: exists"),
    ("control-1", "dpkg --purge --force-depends python3-venv", "host: host_ready"),
)


def differing(fleet: Fleet) -> dict[str, set[str]]:
    """Return host → who finds a difference there."""
    (fleet.folder / "ask.yml").write_text(ASK)
    fleet.run(str(VENV / "bin/ansible-playbook"), "--inventory", str(fleet.inventory), "ask.yml")
    (fleet.folder / "ask.yml").unlink()
    return {
        host: set(json.loads((fleet.folder / f"build/asked-{host}.json").read_text()))
        for host in fleet.hosts.containers()
    }


def test_a_settled_fleet_is_asked_once(fleet: Fleet) -> None:
    """No role runs on it, and the run says that it is so."""
    assert differing(fleet) == {host: set() for host in fleet.hosts.containers()}
    run = fleet.make("deploy")
    assert run.output.count("skipping: no hosts matched") >= 3
    assert "TASK [redis" not in run.output


def test_whatever_is_broken_by_hand_is_found_and_mended(fleet: Fleet) -> None:
    """One thing after the other, on five hosts; each is told by the one whose it is, and one deploy mends all of them."""
    password = fleet.machine["redis_passwords"]["admin"]
    before = differing(fleet)
    for host, script, finder in BROKEN:
        assert finder not in before[host]
        fleet.on(host, script.format(password=password))
        found = differing(fleet)
        assert found[host] >= before[host] | {finder}, f"{script} on {host}"
        assert {name: found[name] for name in found if name != host} == {
            name: before[name] for name in before if name != host
        }
        before = found
    run = fleet.make("deploy")
    assert any(changes(run).values())
    assert differing(fleet) == {host: set() for host in fleet.hosts.containers()}
    fleet.healthy()


def test_a_role_that_asks_nothing_is_never_settled(fleet: Fleet) -> None:
    """A role that says nothing of itself keeps the fleet from being taken as settled; so it is safe to add one."""
    asks = fleet.folder / "roles/backup/asks.yml"
    text = asks.read_text()
    asks.unlink()
    try:
        assert {host for host, who in differing(fleet).items() if who} == {"redis-1", "redis-2"}
    finally:
        asks.write_text(text)
