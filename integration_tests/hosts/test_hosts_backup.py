"""Backups of a replicated broker, copied off the host, and what a restore brings back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_tests.hosts.fleet import Fleet
from integration_tests.hosts.load import judge, streaming
from integration_tests.hosts.talk import REDIS_HOSTS, master, repeat, replication

KEYS = 500
MARK = "celery-task-meta-mark-$i"
STORE = "/srv/backups"


def marks(fleet: Fleet) -> int:
    """Count the marks that the master holds."""
    return repeat(fleet, master(fleet), "verifier", f"GET {MARK}", KEYS).count("kept")


@pytest.fixture(scope="module")
def store(deployed: Fleet) -> Iterator[str]:
    """An account on another host that takes copies, and nothing else."""
    deployed.on(
        "control-1",
        f"apt-get -qq install -y rsync >/dev/null; id keeper >/dev/null 2>&1 || useradd --create-home --shell /bin/sh keeper; "
        f"install -d -o keeper -m 0700 {STORE} /home/keeper/.ssh; "
        "test -e /root/keeper || ssh-keygen -q -t ed25519 -N '' -f /root/keeper; "
        "install -o keeper -m 0600 /root/keeper.pub /home/keeper/.ssh/authorized_keys",
    )
    key = deployed.on("control-1", "cat /root/keeper").output.strip()
    host_key = deployed.on("control-1", "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub").output.strip()
    address = deployed.machine["machine_addresses"]["control-1"]
    indented = key.replace("\n", "\n  ")
    yield f"backup_copy_to: keeper@{address}:{STORE}\nbackup_copy_host_key: {address} {host_key}\nbackup_copy_key: |\n  {indented}\n"
    deployed.on("control-1", "userdel --remove keeper; rm -rf /root/keeper*", expect=None)


def test_backup_destroy_restore(fleet: Fleet, store: str) -> None:
    """`make backup`, with a copy on another host; the data are lost; make restore brings back every key."""
    repeat(fleet, master(fleet), "worker", f"SET {MARK} kept", KEYS)
    fleet.override_file.write_text(store)
    fleet.override_file.chmod(0o600)
    fleet.make("deploy")
    told = fleet.make("backup").output
    assert "no copy off the host" not in told
    copies = fleet.on("control-1", f"find {STORE} -name '*.rdb' -size +0").output.split()
    assert len(copies) >= 2
    repeat(fleet, master(fleet), "worker", f"DEL {MARK}", KEYS)
    assert marks(fleet) == 0
    run = fleet.make("restore", "FROM=latest")
    print(f"restore of {KEYS} keys: {run.seconds:.1f} s with verify")
    assert marks(fleet) == KEYS
    with streaming(fleet) as stream:
        pass
    assert judge(fleet, stream).lost == []


def test_a_damaged_backup_touches_nothing(fleet: Fleet, store: str) -> None:
    """One flipped bit: refused with a sentence, every process runs on."""
    fleet.override_file.write_text(store)
    fleet.override_file.chmod(0o600)
    host = master(fleet)
    newest = fleet.on(
        host, "ls -1t $(dirname $(find / -xdev -name 'broker-*.rdb' | head -1))/broker-*.rdb | head -1"
    ).output.strip()
    fleet.on(host, f"cp {newest} /root/whole.rdb && printf 'x' | dd of={newest} bs=1 seek=40 conv=notrunc 2>/dev/null")
    before = fleet.units(), fleet.pid(host, "redis-broker")
    try:
        run = fleet.make("restore", f"FROM={newest.rsplit('/', 1)[1]}", expect=2)
    finally:
        fleet.on(host, f"cat /root/whole.rdb >{newest}; rm /root/whole.rdb")
    assert "Traceback" not in run.output
    assert "touched" in "\n".join(run.said[-3:])
    assert (fleet.units(), fleet.pid(host, "redis-broker")) == before
    (other,) = set(REDIS_HOSTS) - {host}
    assert replication(fleet, other)["master_link_status"] == "up"
