"""One Redis and one worker on this machine, from the staged files of an inventory: the bytes that a deploy writes."""

from __future__ import annotations

import csv
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import redis
import yaml

from integration_tests.waiting import wait_until
from loadtests.generator.link import client
from loadtests.generator.target import VARIABLE, Target
from settings.acl import BUILT_IN
from settings.fleet import Fleet
from settings.loader import load
from settings.localhost import find_redis, free_ports

REPOSITORY = Path(__file__).resolve().parents[2]
LOCUSTFILES = Path(__file__).parent / "locustfiles"
PASSWORD = "load-test-password"
HOST = "one"
START = 30.0  # seconds in which a process has to answer
SETTINGS: dict[str, Any] = {
    "process_manager": "supervisor",
    "redis_bind": ["127.0.0.1"],
    "redis_appendonly": True,
    "celery_global_keyprefix": "app1:",
    "celery_queues": [{"name": "fast"}, {"name": "slow"}],
    "celery_task_default_queue": "fast",
    "celery_routes": [{"match": "probe.sl*", "queue": "slow", "priority": 6}, {"match": "probe.*", "queue": "fast"}],
    "celery_workers": [{"name": "all", "queues": ["fast", "slow"], "pool": "solo", "concurrency": 1}],
    # solo enforces none, and says so
    "celery_task_time_limit": None,
    "celery_task_soft_time_limit": None,
}


@dataclass
class Run:
    """A run of Locust."""

    process: subprocess.Popen[str]
    report: Path  # without a suffix: Locust writes several
    output: str = ""

    def rows(self, code: int = 0, seconds: float = 60.0) -> dict[tuple[str, str], dict[str, Any]]:
        """Wait for the end; return (kind, name) → the row of Locust's statistics."""
        self.output, _ = self.process.communicate(timeout=seconds)
        assert self.process.returncode == code, self.output
        return {(row["method"], row["name"]): row for row in json.loads(self.report.with_suffix(".json").read_text())}

    @property
    def failures(self) -> set[tuple[str, str, str]]:
        """Kind, name and error of what failed."""
        with Path(f"{self.report}_failures.csv").open(newline="") as file:
            return {(row["Method"], row["Name"], row["Error"]) for row in csv.DictReader(file)}


@dataclass
class Stack:
    """What runs below a folder."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))

    def stage(self) -> None:
        """Write the inventory and stage it."""
        programs = find_redis()
        inventory = self.folder / "inventory"
        (inventory / "group_vars").mkdir(parents=True, exist_ok=True)
        groups: dict[str, Any] = {group: {} for group in ("beat", "flower", "sentinel")}
        groups |= {group: {"hosts": {HOST: None}} for group in ("redis", "celery", "beat")}
        hosts = {"all": {"hosts": {HOST: {"ansible_host": "127.0.0.1"}}}, **groups}
        inventory.joinpath("hosts.yml").write_text(yaml.safe_dump(hosts))
        values = {
            **self.settings,
            "redis_version": programs.version,
            "redis_server_binary": programs.server,
            "redis_cli_binary": programs.cli,
            "redis_port": free_ports(1)[0],
            "redis_passwords": dict.fromkeys(BUILT_IN, "{{ '" + PASSWORD + "' }}"),
            "stack_root": str(self.root),
            "stack_run_dir": str(self.folder),
        }
        inventory.joinpath("group_vars", "all.yml").write_text(yaml.safe_dump(values))
        staged = subprocess.run(
            ["ansible-playbook", "-i", str(inventory), "stage.yml", "-e", f"stack_stage_root={self.root.parent}"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert staged.returncode == 0, staged.stdout + staged.stderr
        (self.root / "var/lib/redis/broker").mkdir(parents=True, exist_ok=True)
        self.target().write(self.target_file)

    @property
    def root(self) -> Path:
        """Where the staged files of the host stand."""
        return self.folder / "staged" / HOST

    @property
    def target_file(self) -> Path:
        """What LOAD_TARGET names."""
        return self.folder / "target.json"

    @property
    def fleet(self) -> Fleet:
        """The validated inventory."""
        return load(self.folder / "inventory").fleet

    def target(self, user: str = "producer") -> Target:
        """Return the target, as a user of Redis."""
        return Target.of(self.fleet, self.fleet.hosts[HOST], user)

    def redis(self, user: str = "verifier") -> redis.Redis:
        """Return a client."""
        target = self.target(user)
        return client(target, target.broker)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a worker, as staged, with this checkout in place of a release."""
        lines = (self.root / "etc/celery/celery.env").read_text().splitlines()
        staged = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        values = {name: shlex.split(value)[0] if value else "" for name, value in staged.items()}
        return {**os.environ, **values, "PYTHONPATH": f"{self.root}/etc/celery:{REPOSITORY}"}

    @contextmanager
    def redis_server(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run Redis until the end of the block, or until it is killed."""
        command = [find_redis().server, str(self.root / "etc/redis/broker.conf")]
        with started(command, self.folder / "redis.log", dict(os.environ)) as process:
            ping = self.redis("health").ping
            wait_until("Redis answers", ping, START, ignoring=redis.RedisError)
            yield process

    @contextmanager
    def worker(self, pool: str = "solo", concurrency: int = 1) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker until the end of the block."""
        command = [sys.executable, "-m", "celery", "--app", "tasks.app:app", "worker", "--hostname", "all@one"]
        command += ["--queues", "fast,slow", "--pool", pool, "--concurrency", str(concurrency), "--loglevel", "ERROR"]
        with started(command, self.folder / "worker.log", self.environment) as process:
            target, asker = self.target("verifier"), self.redis()
            wait_until("the worker consumes", lambda: answers(target, asker), START)
            yield process

    def locust(self, name: str, *arguments: str, **more: str) -> Run:
        """Start a headless run of a locustfile of ours, with further variables in its environment."""
        file = LOCUSTFILES / f"{name}.py"
        report = self.folder / f"{file.stem}-report"
        command = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "--only-summary"]
        environment = {**os.environ, VARIABLE: str(self.target_file), "PYTHONPATH": str(REPOSITORY)}
        process = subprocess.Popen(
            [*command, "--json-file", str(report), "--csv", str(report), *arguments],
            env={**environment, **more},
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Run(process, report)


def answers(target: Target, asker: redis.Redis) -> bool:
    """Whether the worker has bound the last of its queues."""
    bound = cast("set[bytes]", asker.smembers(f"{target.key_prefix}_kombu.binding.{target.queues[0]}"))
    return any(target.queues[-1].encode() in entry for entry in bound)


@contextmanager
def started(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the end of the block; its output goes to a file."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=REPOSITORY, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def arriving(rate: float, seconds: float, **more: object) -> dict[str, str]:
    """Return what the locustfile `arriving` reads from its environment."""
    said = {"rate": rate, "seconds": seconds, **more}
    return {f"LOAD_{name.upper()}": str(value) for name, value in said.items()}
