"""Promise: the production example, with secrets of its own, stages whole; secrets stand where they must and nowhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from settings.acl import BUILT_IN
from settings.secrets import encrypt, passwords_yaml, write_private

REPOSITORY = Path(__file__).resolve().parents[2]
HOSTS = {"redis-1", "worker-1", "worker-2"}


@pytest.fixture(scope="module")
def secrets() -> str:
    return passwords_yaml()


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory, secrets: str) -> Path:
    """Stage a copy of inventories/production with a vault, as `make secrets` and `make stage` do."""
    folder = tmp_path_factory.mktemp("production")
    inventory = folder / "inventory"
    shutil.copytree(REPOSITORY / "inventories/production", inventory)
    password = folder / "vault-password"
    write_private(password, "only for this test")
    write_private(inventory / "group_vars/all/vault.yml", encrypt(secrets, password))
    command = ["ansible-playbook", "--inventory", str(inventory), "stage.yml", "--diff", "-vvv"]
    command += ["--extra-vars", f"stack_stage_root={folder}/staged"]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "ANSIBLE_VAULT_PASSWORD_FILE": str(password)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert not [secret for secret in values(secrets) if secret in done.stdout + done.stderr], "a secret was printed"
    return folder / "staged"


def values(secrets: str) -> list[str]:
    """Return the secrets themselves."""
    said = yaml.safe_load(secrets)
    return [*said["redis_passwords"].values(), said["celery_flower_password"]]


def test_every_host_gets_its_files(staged: Path) -> None:
    assert {path.name for path in staged.iterdir() if path.is_dir()} == HOSTS
    assert (staged / "redis-1/etc/redis/broker.conf").is_file()
    assert (staged / "worker-1/etc/systemd/system/celery-beat.service").is_file()
    assert not (staged / "worker-2/etc/systemd/system/celery-beat.service").exists(), "beat runs on one host only"


def test_only_its_owner_reads_a_staged_file(staged: Path) -> None:
    open_files = [path for path in staged.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    assert open_files == []


def test_a_secret_stands_only_in_the_workers_environment(staged: Path, secrets: str) -> None:
    holding = {
        path.name
        for path in staged.rglob("*")
        if path.is_file() and any(secret in path.read_text() for secret in values(secrets))
    }
    # settings.json is what tests and load read; Redis's users are stored as hashes; a backup logs in
    assert holding == {"backup.json", "celery.env", "settings.json"}


def test_every_built_in_user_is_in_the_acl_file_by_its_hash(staged: Path) -> None:
    lines = (staged / "redis-1/etc/redis/broker.acl").read_text().splitlines()
    assert [line.split()[1] for line in lines] == ["default", *BUILT_IN]
    assert lines[0].startswith("user default off")
    assert all(" #" in line for line in lines[1:])


@pytest.mark.parametrize("host", ["worker-1", "worker-2"])
def test_a_container_runs_the_command_of_the_unit(staged: Path, host: str) -> None:
    services = yaml.safe_load((staged / host / "compose.yml").read_text())["services"]
    units = list((staged / host).rglob("worker.conf"))
    assert units
    for unit in units:
        name = unit.parent.name.removesuffix(".service.d").replace("@", "-")
        command = next(line for line in unit.read_text().splitlines() if line.startswith("ExecStart="))
        assert services[name]["command"] == command.removeprefix("ExecStart=").split()
