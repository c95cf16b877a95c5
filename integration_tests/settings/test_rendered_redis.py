"""Promise: whatever validate accepts, redis-server starts with and reads back the same."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import hypothesis
import pytest
import redis
import yaml
from hypothesis import strategies as st
from redis.backoff import NoBackoff
from redis.retry import Retry

from integration_tests.settings.random_options import redis_options
from settings.acl import BUILT_IN
from settings.fleet import HostSettings
from settings.loader import load
from settings.localhost import find_redis, free_ports
from settings.problem import InventoryRefused
from verify.compare import differences

SERVERS = 30
START_DEADLINE = 20.0
PASSWORD = "property-test-password"
REPOSITORY = Path(__file__).resolve().parents[2]


def write_inventory(folder: Path, options: list[dict[str, Any]]) -> list[str]:
    """Write one host per set of options; return the hosts' names."""
    ports = free_ports(len(options))
    names = [f"redis{number}" for number in range(len(options))]
    (folder / "host_vars").mkdir(parents=True)
    (folder / "group_vars").mkdir()
    groups: dict[str, Any] = {group: {} for group in ("celery", "beat", "flower", "sentinel")}
    hosts: dict[str, Any] = {"all": {"hosts": {name: {"ansible_host": "127.0.0.1"} for name in names}}}
    hosts["redis"] = {"hosts": dict.fromkeys(names)}
    folder.joinpath("hosts.yml").write_text(yaml.safe_dump({**hosts, **groups}))
    common: dict[str, Any] = {
        "process_manager": "supervisor",
        "redis_version": find_redis().version,
        "redis_passwords": dict.fromkeys(BUILT_IN, "{{ '" + PASSWORD + "' }}"),
        "redis_bind": ["127.0.0.1"],
        "accepted_risks": [{"id": "broker-noeviction", "reason": "every policy shall be read back, not kept"}],
    }
    folder.joinpath("group_vars", "all.yml").write_text(yaml.safe_dump(common))
    for name, port, said in zip(names, ports, options, strict=True):
        root = str(folder / "staged" / name)
        values = {**said, "redis_port": port, "stack_root": root, "stack_run_dir": "/tmp"}  # noqa: S108 - no socket is made
        folder.joinpath("host_vars", f"{name}.yml").write_text(yaml.safe_dump(values))
    return names


@contextmanager
def running(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a redis-server on the staged files of a host."""
    (root / "var/lib/redis/broker").mkdir(parents=True, exist_ok=True)
    command = [find_redis().server, str(root / "etc/redis/broker.conf")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def config_get(host: HostSettings, process: subprocess.Popen[str]) -> dict[str, str]:
    """Ask the server for its configuration, once it answers."""
    client = redis.Redis(
        port=host.instances[0].port,
        username="admin",
        password=PASSWORD,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
    )
    deadline = time.monotonic() + START_DEADLINE
    while True:
        try:
            answer = cast("dict[str, str]", client.config_get("*"))
        except redis.ConnectionError as error:
            if process.poll() is not None:
                output = process.communicate()[0]
                pytest.fail(
                    f"redis-server does not start: {output}\nsettings: {host.redis.model_dump(exclude_defaults=True)}"
                )
            if time.monotonic() > deadline:
                pytest.fail(f"redis-server does not answer within {START_DEADLINE} s: {error}")
        else:
            client.close()
            return answer


@hypothesis.settings(
    max_examples=2,  # each stages and starts 30 servers
    deadline=None,
    derandomize=True,
    phases=[hypothesis.Phase.generate],  # shrinking would start thousands of servers; the failing settings are printed
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(options=st.lists(redis_options(), min_size=SERVERS, max_size=SERVERS))
def test_what_validate_accepts_redis_starts_with_and_reads_back(
    tmp_path_factory: pytest.TempPathFactory, options: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("random")
    write_inventory(folder, options)
    try:
        fleet = load(folder).fleet
    except InventoryRefused as refused:
        # A set of options that a rule refuses would stop the whole inventory: such a host is left out.
        print(refused)
        bad = {host for problem in refused.problems for host in problem.hosts}
        options = [said for number, said in enumerate(options) if f"redis{number}" not in bad]
        folder = tmp_path_factory.mktemp("random")
        write_inventory(folder, options)
        fleet = load(folder).fleet
    assert len(fleet.hosts) > SERVERS / 2, "most random settings are refused: the property would say nothing"
    stage = [
        "ansible-playbook",
        "--inventory",
        str(folder),
        "stage.yml",
        "--extra-vars",
        f"stack_stage_root={folder}/staged",
    ]
    staged = subprocess.run(stage, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert staged.returncode == 0, staged.stdout + staged.stderr
    for host in fleet:
        with running(folder / "staged" / host.name) as process:
            answer = config_get(host, process)
        different, compared = differences(host.instances[0], answer)
        assert not different, f"{different}\nsettings: {host.redis.model_dump(exclude_defaults=True)}"
        assert compared > 20
        assert answer["maxmemory-policy"] == host.instances[0].maxmemory_policy
        assert answer["appendonly"] == ("yes" if host.instances[0].appendonly else "no")
