"""A copy of the working tree as a fresh clone has it, and what a user does in it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from integration_tests.local.processes import Process, processes

CHECKOUT = Path(__file__).resolve().parents[2]
ALL = Path("inventories/local/group_vars/all")
PATIENCE = 240.0  # seconds that one make may take
CLONES: list[Clone] = []  # those that are there
# What of this shell reaches the clone: how to reach a package index, and the language. Nothing of a virtual environment.
PASSED = ("LANG", "LC_ALL", "PYTHON", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
PASSED_BEGINNINGS = ("PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_")
NOT_PASSED = ("UV_CONFIG_FILE", "UV_PROJECT_ENVIRONMENT")


@dataclass(frozen=True)
class Run:
    """One command that ran."""

    words: tuple[str, ...]
    code: int
    output: str  # both streams, as a terminal shows them
    seconds: float

    @property
    def said(self) -> list[str]:
        """The lines of the output without make's own word on a failed recipe."""
        return [line for line in self.output.splitlines() if line.strip() and "***" not in line]


def copy_tree(folder: Path) -> None:
    """Copy what git would take: tracked or new, changed or not, and nothing that is ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=CHECKOUT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if CHECKOUT.joinpath(name).exists():  # not deleted since the last commit
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target, follow_symlinks=False)


def clean_environment(home: Path) -> dict[str, str]:
    """Return what a new terminal of a user with this home has; only the caches of pip and uv are shared with ours."""
    own = Path(os.environ["HOME"])
    caches = Path(os.environ.get("XDG_CACHE_HOME") or own / ".cache")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED or (name.startswith(PASSED_BEGINNINGS) and name not in NOT_PASSED)
    }
    ours = {str(Path(sys.prefix) / "bin"), str(CHECKOUT / ".venv" / "bin")}
    path = os.pathsep.join(entry for entry in os.environ["PATH"].split(os.pathsep) if entry not in ours)
    defaults = {"UV_CACHE_DIR": str(caches / "uv"), "PIP_CACHE_DIR": str(caches / "pip")}
    config = next((file for file in (own / ".config/pip/pip.conf", own / ".pip/pip.conf") if file.exists()), None)
    if config:
        defaults["PIP_CONFIG_FILE"] = str(config)
    temporary = home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return {**defaults, **kept, "PATH": path, "HOME": str(home), "TMPDIR": str(temporary), "TERM": "dumb"}


@dataclass
class Clone:
    """A clone, the user who works in it, and everything that was said there."""

    folder: Path
    environment: dict[str, str]
    prefix: tuple[str, ...] = ()  # another user: runuser -u name --
    runs: list[Run] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)  # every password that it ever had

    def run(
        self, *words: str, expect: int | None = 0, seconds: float = PATIENCE, env: Mapping[str, str] | None = None
    ) -> Run:
        """Run a command in the clone and keep what it says; fail where its exit code is not the expected one."""
        started = time.monotonic()
        with subprocess.Popen(
            [*self.prefix, *words],
            cwd=self.folder,
            env={**self.environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                output, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output = f"{process.communicate()[0]}\n(killed after {seconds:g} s)"
        done = Run(words, process.returncode, output, time.monotonic() - started)
        self.runs.append(done)
        if self.machine_file.exists():
            self.secrets.update(passwords(self.machine))
        assert expect is None or done.code == expect, (
            f"{' '.join(words)} exited {done.code} and not {expect}:\n{output}"
        )
        return done

    def make(self, *words: str, expect: int | None = 0, env: Mapping[str, str] | None = None) -> Run:
        """Run make."""
        return self.run("make", *words, expect=expect, env=env)

    @property
    def root(self) -> Path:
        """Below it stands the stack."""
        return self.folder / ".stack" / "local"

    @property
    def machine_file(self) -> Path:
        """What the first run chose for this machine."""
        return self.folder / ALL / "machine.yml"

    @property
    def machine(self) -> dict[str, Any]:
        """The values of this machine."""
        loaded: dict[str, Any] = yaml.safe_load(self.machine_file.read_text())
        return loaded

    @property
    def override_file(self) -> Path:
        """Settings of a test, on top of those of the inventory."""
        return self.folder / ALL / "zz_test.yml"

    def verify(self, *words: str, expect: int = 0) -> list[dict[str, Any]]:
        """Run `make verify` and return its rows."""
        self.make("verify", "ENV=local", *words, expect=expect)
        return self.rows()

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the last report."""
        rows: list[dict[str, Any]] = json.loads((self.folder / "build/local/verify.json").read_text())["rows"]
        return rows

    def supervisor(self, *words: str) -> str:
        """Run supervisorctl as a user would."""
        config = self.root / "etc/supervisor/supervisord.conf"
        return self.run(str(self.folder / ".venv/bin/supervisorctl"), "-c", str(config), *words, expect=None).output

    def pids(self) -> dict[str, int]:
        """Return program → pid of what runs, supervisor itself among it."""
        lines = [line.split() for line in self.supervisor("status").splitlines()]
        found = {line[0]: int(line[3].rstrip(",")) for line in lines if line[1] == "RUNNING"}
        return {"supervisord": int(self.supervisor("pid")), **found}

    def processes(self) -> list[Process]:
        """Return what runs of this clone."""
        return [process for process in processes() if process.of(self.folder)]

    def ledger(self) -> dict[str, int]:
        """Return entry → how often it ran."""
        file = self.root / "var/lib/celery/ledger.db"
        if not file.exists():
            return {}
        with contextlib.closing(sqlite3.connect(file, timeout=10)) as database:
            return dict(database.execute("SELECT entry_id, attempts FROM writes").fetchall())


def passwords(machine: Mapping[str, Any]) -> Iterator[str]:
    """Yield every secret of a machine's values."""
    yield from machine["redis_passwords"].values()
    yield from machine.get("redis_previous_passwords", {}).values()
    yield machine["celery_flower_password"]


@contextlib.contextmanager
def cloned(folder: Path, home: Path) -> Iterator[Clone]:
    """Make a clone; in the end nothing of it may run, and it is deleted."""
    copy_tree(folder)
    clone = Clone(folder, clean_environment(home))
    CLONES.append(clone)
    try:
        yield clone
    finally:
        if clone.root.exists():
            clone.make("down", expect=None)
        left = clone.processes()
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        CLONES.remove(clone)
        shutil.rmtree(folder, ignore_errors=True)
        assert not left, f"make down left {left}"
