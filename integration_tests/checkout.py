"""A copy of the working tree as a fresh clone has it, and the commands that a user runs in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PATIENCE = 240.0  # seconds that one make may take
CLONES: list[Clone] = []  # those that are there: what a failing test leaves behind is taken from them
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

    @property
    def logs(self) -> list[Path]:
        """What is kept when a test fails."""
        return [*self.folder.glob("build/*/*.json"), *self.folder.glob("build/*/*.log")]

    def ran(self, run: Run) -> None:
        """Take note of a command that has ended."""

    def keep(self, folder: Path) -> None:
        """Write what else a failing test shall leave behind."""

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
            except BaseException:  # Ctrl-C: it runs in a session of its own and would go on
                os.killpg(process.pid, signal.SIGKILL)
                raise
        done = Run(words, process.returncode, output, time.monotonic() - started)
        self.runs.append(done)
        self.ran(done)
        assert expect is None or done.code == expect, (
            f"{' '.join(words)} exited {done.code} and not {expect}:\n{output}"
        )
        return done

    def make(self, *words: str, expect: int | None = 0, env: Mapping[str, str] | None = None) -> Run:
        """Run make."""
        return self.run("make", *words, expect=expect, env=env)
