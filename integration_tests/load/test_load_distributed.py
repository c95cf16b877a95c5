"""Promises: load comes from hosts of their own as from one generator, and nothing of it stays there.

Three containers with systemd, deployed and reached over SSH as servers are: a system with Redis and a worker, and two
generators. The master is here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import NotPossible
from integration_tests.hosts.fleet import Fleet, changes
from integration_tests.load.generators import (
    GENERATORS,
    PROCESSES,
    SYSTEM,
    Run,
    await_nothing_left,
    left,
    profile,
    results,
    three,
)
from loadtests.figures import PUBLISH, WHOLE, Figures
from loadtests.generator.target import Target
from loadtests.run import distributed, remote
from loadtests.run.distributed import environment_of
from loadtests.run.generate import FIGURES, LOG
from verify.tunnel import connections

RATE, SECONDS = 200, 3
KEPT = "cd /run/locust-generator && stat -c '%U %a' . target.json && stat -f -c %T ."
AHEAD = 3  # seconds that the clock of a host is wrong


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The servers as a provider hands them over."""
    try:
        with three(tmp_path_factory.mktemp("load") / "clone", tmp_path_factory.mktemp("home")) as fleet:
            fleet.make("certificates")
            yield fleet
    except NotPossible as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def fleet(bare: Fleet) -> Fleet:
    """The same after a deploy."""
    bare.make("deploy")
    return bare


def test_a_host_without_a_generator_is_told_in_one_sentence(bare: Fleet, tmp_path: Path) -> None:
    with pytest.raises(NotPossible) as told:
        Run(bare, profile(1, 1), tmp_path).end()
    assert str(told.value) == "gen-1 has no generator of this checkout: `make deploy ENV=load` puts it there."


def test_a_deploy_puts_it_there_and_again_changes_nothing(bare: Fleet) -> None:
    """In check mode nothing is touched; a second deploy changes nothing; what is there is root's and does not run."""
    bare.make("plan")
    assert bare.on("gen-1", "test -e /opt/locust", expect=None).code == 1
    bare.make("deploy")
    assert set(changes(bare.make("deploy")).values()) == {0}
    for host in GENERATORS:
        assert left(bare, host) == ""
        assert bare.on(host, "find /opt/locust ! -user root -o -perm /022 ! -type l | head -1").output == ""
        known = " ".join(f"-e {secret}" for secret in sorted(bare.secrets))
        assert bare.on(host, f"grep -rlF {known} /opt/locust /etc /run /var/lib 2>/dev/null || true").output == ""


def test_hosts_share_a_schedule_exactly(fleet: Fleet, tmp_path: Path) -> None:
    """Every arrival is sent once by one of four processes on two hosts; what they measure comes together here."""
    before = results(fleet)
    run = Run(fleet, profile(RATE, SECONDS), tmp_path)
    figures = run.end()
    log = (tmp_path / LOG).read_text()
    due = RATE * SECONDS
    # a machine with too few cores makes generators late, which they tell, and which changes no count
    assert "did not come to their end" not in figures.complaint
    assert figures.times(WHOLE).total() == figures.times(PUBLISH).total() == due
    assert figures.errors().total() == 0
    assert results(fleet) - before == due
    seconds = [
        sum(cell.times.total() for key, cell in figures.cells.items() if key[:2] == (at, WHOLE))
        for at in range(SECONDS)
    ]
    assert all(abs(count - RATE) <= 1 for count in seconds), seconds  # an arrival on the edge is of either
    # Locust's own statistics tell the same, of workers on both hosts
    assert re.findall(r"Aggregated +(\d+) +(\S+) \|", log) == [(str(due), "0(0.00%)")]
    assert Counter(re.findall(r"(\S+)_\w+ \(index \d+\) reported as ready", log)) == dict.fromkeys(
        GENERATORS, PROCESSES
    )
    assert run.warned == []
    assert Figures.read(tmp_path / FIGURES).as_dict() == figures.as_dict()
    await_nothing_left(fleet)


def test_a_generator_that_is_killed_voids_the_run(fleet: Fleet, tmp_path: Path) -> None:
    """At once, not at the end of the schedule; the figures say so themselves."""
    with Run(fleet, profile(50, 60), tmp_path) as run:
        run.await_tasks(50)
        fleet.on("gen-2", "pkill --signal KILL --newest --uid locust --full 'locust -f'")
        figures = run.end(20)
        assert figures.complaint.startswith("The run is void: a worker on gen-2 ended with exit code -9")
        assert Figures.read(tmp_path / FIGURES).complaint == figures.complaint
        await_nothing_left(fleet)


def test_a_host_that_is_lost_voids_the_run(fleet: Fleet, tmp_path: Path) -> None:
    """Everything on a host is killed: nothing stays there, the password included; it was in memory, and in no argument."""
    with Run(fleet, profile(50, 60), tmp_path) as run:
        run.await_tasks(50)
        for host in GENERATORS:
            assert fleet.on(host, KEPT).output.split() == ["locust", "700", "locust", "600", "tmpfs"]
            arguments = fleet.on(host, "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null").output
            assert not [secret for secret in fleet.secrets if secret in arguments]
            listening = fleet.on(host, "ss -Hltn").output
            assert all(" 127.0.0." in line or ":22 " in line for line in listening.splitlines()), listening
        fleet.on("gen-1", "systemctl kill --signal=KILL locust-generator")
        assert run.end(20).complaint.startswith("The run is void: gen-1 lost its generator")
        await_nothing_left(fleet)


def test_an_operator_who_is_gone_leaves_nothing_running(fleet: Fleet, tmp_path: Path) -> None:
    """The connection breaks: the generators end by themselves."""
    with Run(fleet, profile(50, 60), tmp_path) as run:
        run.await_tasks(50)
        for host in GENERATORS:
            fleet.on(host, "pkill --signal KILL --full '[s]shd.*deploy'")
        await_nothing_left(fleet)
        assert "The run is void" in run.end(20).complaint


def test_a_clock_that_is_wrong_is_allowed_for(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds ahead, and the arrivals are kept; somebody is told."""
    folder = "/etc/systemd/system/locust-generator.service.d"
    library = "$(ls /usr/lib/*/faketime/libfaketime.so.1)"
    fleet.on(
        "gen-1", "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y libfaketime >/dev/null"
    )
    fleet.on(
        "gen-1",
        f"printf '[Service]\\nEnvironment=LD_PRELOAD=%s FAKETIME=+{AHEAD}s FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1\\n' {library} >{folder}/zz.conf; systemctl daemon-reload",
    )
    try:
        run = Run(fleet, profile(RATE, SECONDS), tmp_path)
        figures = run.end()
        # the control: nothing is allowed for
        monkeypatch.setattr(
            distributed, "environment_of", lambda generator: environment_of(generator) | {"LOAD_AHEAD": "0"}
        )
        void = Run(fleet, profile(RATE, 1), tmp_path).end().complaint
    finally:
        fleet.on("gen-1", f"rm {folder}/zz.conf; systemctl daemon-reload")
    assert figures.times(WHOLE).total() == RATE * SECONDS
    assert max(figures.times(WHOLE)) < 1000 * AHEAD / 2
    assert worst(figures.complaint) < AHEAD / 2 < worst(void)
    (warning,) = run.warned
    assert warning.startswith(f"The clock of gen-1 is {AHEAD} s ahead of")


@pytest.mark.parametrize("wrong", ["other checkout", "no way there", "wrong password"])
def test_what_stands_in_the_way_is_told_in_one_sentence(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    begins = "gen-1 has no generator of this checkout: `make deploy ENV=load`"
    changed = unchanged
    if wrong == "other checkout":
        monkeypatch.setattr(remote, "generator_id", lambda _: "0" * 12)
    elif wrong == "no way there":
        # not by a file of the inventory: Ansible looks once per process which there are
        monkeypatch.setattr(distributed, "connections", lambda inventory: elsewhere(connections(inventory)))
        begins = "gen-1 cannot be reached by SSH: "
    else:
        changed = with_wrong_password
        begins = "A worker on gen-"
    with pytest.raises(NotPossible) as told:
        Run(fleet, profile(1, 1), tmp_path, changed).end()
    assert str(told.value).startswith(begins)
    assert "\n" not in str(told.value)
    assert "wrong-password" not in str(told.value)
    await_nothing_left(fleet)


def worst(complaint: str) -> float:
    """Return by how many seconds an arrival was late, at most; 0 where nobody complains."""
    return max(map(float, re.findall(r"the worst ([\d.]+) s", complaint)), default=0.0)


def elsewhere(variables: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return Ansible's variables with a port on which no sshd is."""
    return {host: {**of, "ansible_port": 9} for host, of in variables.items()}


def unchanged(target: Target) -> Target:
    """Return the target."""
    return target


def with_wrong_password(target: Target) -> Target:
    """Return the target with a password that is none."""
    return replace(target, broker=re.sub(r":[^:/@]+@", ":wrong-password@", target.broker))


def test_a_host_is_decommissioned(fleet: Fleet) -> None:
    """Nothing that the role wrote is left; the last test, as the host has no generator then."""
    fleet.make("decommission", "HOST=gen-2")
    assert fleet.on("gen-2", "ls -d /opt/locust /etc/systemd/system/locust*", expect=None).code == 2
    assert fleet.on(SYSTEM, "systemctl is-active celery-worker@fast-1").output.strip() == "active"
