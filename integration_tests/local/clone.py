"""A clone in which the local stack runs, and what runs of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from integration_tests import checkout
from integration_tests.checkout import CLONES, Run, clean_environment, copy_tree
from integration_tests.local.processes import Process, processes
from integration_tests.waiting import wait_until

START = 30.0  # seconds that a start may take
ALL = Path("inventories/local/group_vars/all")


@dataclass
class Clone(checkout.Clone):
    """A clone with a local stack."""

    secrets: set[str] = field(default_factory=set)  # every password that it ever had

    @property
    def logs(self) -> list[Path]:
        """The stack's own logs, too."""
        return [*self.root.glob("var/log/*/*"), *super().logs]

    def ran(self, run: Run) -> None:
        """Remember the passwords that there were."""
        if self.machine_file.exists():
            self.secrets.update(passwords(self.machine))

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
        """Return program → pid of what runs, supervisor itself among it.

        Supervisor tells no pid of what it has just started: that is waited for.
        """
        wait_until("what starts has started", lambda: " STARTING " not in self.supervisor("status"), START)
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
