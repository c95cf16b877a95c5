"""A clone whose inventory's hosts run as containers, and the test's own eye on them: docker exec, not Ansible."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.models.containers import Container

from engine.daemon import engine
from engine.hosts import Hosts
from engine.wheelhouse import fill
from integration_tests import checkout
from integration_tests.checkout import CHECKOUT, CLONES, Run, clean_environment, copy_tree
from integration_tests.waiting import wait_until
from settings.loader import load

LONG = 540.0  # seconds that one make may take: a first deploy installs packages on every host
VENV = Path(sys.prefix)
RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Said:
    """What a command on a host came to."""

    code: int
    output: str


@dataclass
class Fleet(checkout.Clone):
    """The hosts of one inventory, and the operator who works on them."""

    name: str = "staging"
    client: docker.DockerClient = field(default_factory=engine)
    secrets: set[str] = field(default_factory=set)  # every password that there ever was

    @property
    def inventory(self) -> Path:
        """The clone's inventory."""
        return self.folder / "inventories" / self.name

    @cached_property
    def hosts(self) -> Hosts:
        """The containers."""
        return Hosts(self.client, self.inventory)

    @property
    def override_file(self) -> Path:
        """Settings of a test, on top of those of the inventory."""
        return self.inventory / "group_vars" / "all" / "zz_test.yml"

    @property
    def machine(self) -> dict[str, Any]:
        """What `make hosts` wrote."""
        loaded: dict[str, Any] = yaml.safe_load((self.inventory / "group_vars/all/machine.yml").read_text())
        return loaded

    def ran(self, run: Run) -> None:
        """Remember the passwords that there were."""
        with contextlib.suppress(OSError, yaml.YAMLError):
            machine = self.machine
            for name in ("redis_passwords", "redis_previous_passwords"):
                self.secrets.update(machine.get(name, {}).values())
            self.secrets.add(machine["celery_flower_password"])

    def make(
        self,
        *words: str,
        expect: int | None = 0,
        env: Mapping[str, str] | None = None,
        seconds: float = LONG,
    ) -> Run:
        """Run make for this inventory, with the virtual environment that runs the tests."""
        return self.run("make", f"VENV={VENV}", f"ENV={self.name}", *words, expect=expect, env=env, seconds=seconds)

    def container(self, host: str) -> Container:
        """Return the container of a host."""
        return self.hosts.containers()[host]

    def on(self, host: str, script: str, *, expect: int | None = 0) -> Said:
        """Run a shell script on a host as root, past SSH and Ansible."""
        code, output = self.container(host).exec_run(["sh", "-c", script])
        said = Said(int(code or 0), output.decode(errors="replace") if isinstance(output, bytes) else "")
        assert expect is None or said.code == expect, f"{host}: {script} exited {said.code}:\n{said.output}"
        return said

    def pid(self, host: str, unit: str) -> int:
        """Return the main process of a unit; 0 where it does not run."""
        return int(self.on(host, f"systemctl show --property=MainPID --value {unit}").output)

    def units(self) -> dict[str, list[str]]:
        """Return host → the services of the stack that run there."""
        listing = "systemctl list-units --plain --no-legend --state=running 'celery-*' 'redis-*' 'sentinel*'"
        return {
            host: sorted(
                line.split()[0].removesuffix(".service") for line in self.on(host, listing).output.splitlines()
            )
            for host in self.hosts.containers()
        }

    def verify(self, *words: str, expect: int = 0) -> list[dict[str, Any]]:
        """Run `make verify` and return its rows."""
        self.make("verify", *words, expect=expect)
        rows: list[dict[str, Any]] = json.loads((self.folder / f"build/{self.name}/verify.json").read_text())["rows"]
        return rows

    def healthy(self) -> None:
        """Fail unless every promise is kept."""
        wrong = {f"{row['id']} {row['subject']}" for row in self.verify() if row["status"] in ("failed", "blocked")}
        assert not wrong

    def keep(self, folder: Path) -> None:
        """Keep the hosts' journals."""
        for host in self.hosts.containers():
            (folder / f"{host}.journal").write_text(self.on(host, "journalctl --no-pager", expect=None).output)


def changes(run: Run) -> dict[str, int]:
    """Return host → changed tasks of a play's recap."""
    return {host: int(changed) for host, changed, _, _ in RECAP.findall(run.output)}


@contextlib.contextmanager
def fleet_of(folder: Path, home: Path, name: str) -> Iterator[Fleet]:
    """Make a clone with the hosts of an inventory; in the end they are removed."""
    copy_tree(folder)
    environment = clean_environment(home)
    fleet = Fleet(folder, environment, name=name)
    fill(CHECKOUT / "build" / "wheelhouse")
    (folder / "build").mkdir(exist_ok=True)
    (folder / "build" / "wheelhouse").symlink_to(CHECKOUT / "build" / "wheelhouse")
    CLONES.append(fleet)
    try:
        yield fleet
    finally:
        CLONES.remove(fleet)
        fleet.hosts.remove()
        shutil.rmtree(folder, ignore_errors=True)


def await_boot(fleet: Fleet, host: str, seconds: float = 60) -> None:
    """Wait until systemd has started all that it shall, and SSH answers."""
    wait_until(
        f"{host} has booted",
        lambda: (
            fleet.on(host, "systemctl is-active ssh && ! systemctl list-jobs --no-legend | grep .", expect=None).code
            == 0
        ),
        seconds,
        ignoring=docker.errors.DockerException,
    )


def expected(fleet: Fleet) -> dict[str, list[str]]:
    """Return host → the services that the settings put there."""
    from verify.checks.host import due

    found = {host.name: due(host) for host in load(fleet.inventory).fleet}
    return {
        name: sorted(re.sub(r"^celery-worker-", "celery-worker@", unit) for unit in units)
        for name, units in found.items()
    }
