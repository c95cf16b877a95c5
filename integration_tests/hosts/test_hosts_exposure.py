"""Promise: the units that are shipped keep the bounds of exposure, and the measurement notices when they do not.

`systemd-analyze --offline` reads unit files without a running systemd; on hosts, `exposure.beyond` asks the live one.
Both counted the same on Debian 12 and 13.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from integration_tests.hosts.exposure import beyond, exposures

REPOSITORY = Path(__file__).resolve().parents[2]
USERS = ("admin", "worker", "producer", "control", "verifier", "flower", "health")
INVENTORY = f"""\
all:
  vars:
    redis_passwords: {{{", ".join(f"{user}: {user}-0123456789abcdef" for user in USERS)}}}
    celery_flower_password: page-0123456789abcdef
    celery_networks: [192.0.2.0/24]
    celery_worker_send_task_events: true
  hosts: {{one: {{ansible_host: 192.0.2.1}}}}
redis: {{hosts: {{one: }}}}
celery: {{hosts: {{one: }}}}
beat: {{hosts: {{one: }}}}
flower: {{hosts: {{one: }}}}
locust: {{hosts: {{one: }}}}
"""

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine: install systemd"
)


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the staged units."""
    folder = tmp_path_factory.mktemp("exposure")
    inventory = folder / "inventory"
    inventory.mkdir()
    (inventory / "hosts.yml").write_text(INVENTORY)
    (inventory / "hosts.yml").chmod(0o600)  # it holds passwords
    command = ["ansible-playbook", "--inventory", str(inventory), "stage.yml"]
    command += ["--extra-vars", f"stack_stage_root={folder / 'build'}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    staged = folder / "build/one/etc/systemd/system"
    # A template is read as an instance, with the drop-in that gives it its command.
    template, instance = staged / "celery-worker@.service", staged / "celery-worker@default-1.service"
    instance.write_text(template.read_text())
    # The unit of a run is transient: it is its drop-in, and a command.
    run = staged / "locust-generator.service"
    run.write_text((staged / f"{run.name}.d/sandbox.conf").read_text() + "ExecStart=/bin/true\n")
    return staged


def offline(units: Path, *names: str) -> dict[str, float]:
    """Return the figures of staged units."""

    def run(command: Sequence[str]) -> str:
        *words, unit = command
        asked = [*words, "--offline=true", str(units / unit)]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout

    return exposures(run, *names)


NAMES = (
    *("redis-broker.service", "celery-worker@default-1.service", "celery-beat.service", "celery-flower.service"),
    "locust-generator.service",
)


def fixed(figures: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Judge figures that were measured already."""
    return beyond(lambda command: f"Overall exposure level for {command[-1]}: {figures[command[-1]]}", *figures)


def test_every_unit_keeps_its_bound(units: Path) -> None:
    assert fixed(offline(units, *NAMES)) == {}


def test_a_unit_without_one_line_of_the_sandbox_is_noticed(units: Path) -> None:
    unit = units / "celery-open.service"
    unit.write_text((units / "celery-beat.service").read_text().replace("ProtectSystem=strict\n", ""))
    assert list(fixed(offline(units, unit.name))) == [unit.name]


def test_a_unit_that_systemd_does_not_know_is_no_success() -> None:
    with pytest.raises(LookupError, match="says nothing"):
        exposures(lambda command: "Failed to load unit", "celery-beat.service")
