"""One generator host for the time of a run: the launcher there, over one SSH connection.

Locust's own channel goes through it (`ssh -R`), so nothing listens but loopback; what the run needs goes through its
input, so no password is an argument or stands on a disk; and when it breaks, the launcher ends everything there.
"""

from __future__ import annotations

import contextlib
import json
import queue
import random
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, Any, cast

from engine.errors import NotPossible
from settings.fleet import HostSettings
from settings.generator import UNIT, USER, generator_id, python
from verify.tunnel import ssh

PATIENCE = 30.0  # seconds that a login and an answer may take
STOP = 20.0  # seconds that a generator may take to end: above what its launcher waits
PROBES = 7  # questions for the time: the one that came back first counts
MISSING = 66  # exit code of our own: the release is not there
NO_LOGIN = 255  # exit code of ssh itself
PORTS = range(20000, 32768)  # below those that a host gives away by itself
TRIES = 3
TAKEN = "remote port forwarding failed"  # OpenSSH, ExitOnForwardFailure


@dataclass(frozen=True)
class Clock:
    """What is known of the wall clock of a host."""

    ahead: float  # seconds that it is ahead of ours
    doubt: float  # seconds by which that may be wrong: half of the way there and back


@dataclass
class Generator:
    """The launcher on one host."""

    host: HostSettings
    variables: Mapping[str, Any] | None  # Ansible's, where it is reached over SSH
    inventory: str
    clock: Clock = Clock(0.0, 0.0)
    events: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)
    _complaints: list[str] = field(default_factory=list)

    def connect(self, master: int) -> None:
        """Log in, begin to forward, ask for the time.

        Args:
            master: port of Locust's master here.

        Raises:
            NotPossible: if the host cannot be reached, or has no generator.
        """
        for _ in range(TRIES):
            self.port = random.choice(PORTS) if self.variables is not None else master  # noqa: S311 - no secret
            self._open(master)
            try:
                self.clock = self._clock()
                return
            except NotPossible:
                self.close()
                if TAKEN not in "".join(self._complaints):
                    raise
        raise NotPossible(
            f"{self.host.name}: none of {TRIES} ports could be forwarded: is AllowTcpForwarding off in its sshd?"
        )

    def start(self, files: Mapping[str, str], environment: Mapping[str, str]) -> None:
        """Have the workers started.

        Args:
            files: name → text of what they read.
            environment: further variables of theirs.

        Raises:
            NotPossible: if it cannot.
        """
        processes = self.host.load.generators
        self._send({"port": self.port, "processes": processes, "files": files, "environment": environment})
        self._next("started", "did not start its workers")

    def ended(self) -> str:
        """Return why a worker there has come to its end, or the connection; empty while all run."""
        with contextlib.suppress(queue.Empty):
            told = self.events.get_nowait()
            self._codes.append(int(told["ended"]))
            said = f": {told['said']}" if told.get("said") else ""
            return f"a worker on {self.host.name} ended with exit code {told['ended']}{said}"
        if self._process.poll() is not None and not self._codes:
            said = self._complaint()
            return f"{self.host.name} lost its generator" + (f": {said}" if said else "")
        return ""

    @property
    def killed(self) -> bool:
        """Whether one came to an end that is none of Locust's."""
        return any(code < 0 for code in self._codes) or (self._process.poll() is not None and not self._codes)

    def close(self) -> None:
        """Have everything there ended."""
        with contextlib.suppress(OSError):
            self._input.close()
        try:
            self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(STOP)

    # -- the way there

    def _open(self, master: int) -> None:
        script = self._script()
        words = ["sh", "-c", script]
        if self.variables is not None:
            options = ["-T", "-o", "ExitOnForwardFailure=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none"]
            # a host that vanishes is noticed
            options += ["-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=3"]
            options += ["-R", f"127.0.0.1:{self.port}:127.0.0.1:{master}"]
            words = [*ssh(self.host.name, self.variables, *options), f"sh -c {shlex.quote(script)}"]
        self.events = queue.Queue()
        self._codes: list[int] = []
        self._complaints = []
        # A session of its own: Ctrl-C is for us, and what ends it is the end of its input.
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._input = cast("IO[str]", self._process.stdin)
        readers = ((self._process.stdout, self._heard), (self._process.stderr, self._complaints.append))
        self._readers = [threading.Thread(target=_each, args=pair, daemon=True) for pair in readers]
        for reader in self._readers:
            reader.start()

    def _script(self) -> str:
        root = self.host.stack.stack_root
        interpreter = python(root, generator_id(self.host.celery))
        app = shlex.quote(str(PurePosixPath(interpreter).parents[2] / "app"))
        interpreter = shlex.quote(interpreter)
        launch = f"{interpreter} -B -m loadtests.run.launcher"
        begin = f"test -x {interpreter} || exit {MISSING}; cd {app} && exec"
        if root:
            return f"{begin} {launch}"
        root_rights = "$(test $(id -u) = 0 || echo sudo -n)"
        if self.host.stack.process_manager == "systemd":
            unit = f"systemd-run --quiet --pipe --wait --collect --unit={UNIT} --working-directory={app}"
            return f"{begin} {root_rights} {unit} {launch}"
        return f"{begin} {root_rights} runuser -u {USER} -- {launch}"

    def _heard(self, line: str) -> None:
        with contextlib.suppress(json.JSONDecodeError):  # a greeting of the host's shell
            told = json.loads(line)
            if isinstance(told, dict):
                self.events.put({**told, "at": time.time()})

    def _send(self, words: Mapping[str, Any]) -> None:
        try:
            self._input.write(json.dumps(words) + "\n")
            self._input.flush()
        except OSError:
            raise NotPossible(self._why("cannot be reached by SSH")) from None

    def _next(self, word: str, otherwise: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                told = self.events.get(timeout=0.05)
                if word in told:
                    return told
            if self._process.poll() is not None and self.events.empty():
                break
        raise NotPossible(self._why(otherwise))

    def _clock(self) -> Clock:
        """Return how far its clock is ahead, by the question that took the least time."""
        found = []
        for _ in range(PROBES):
            sent = time.time()
            self._send({"clock": True})
            told = self._next("clock", "did not answer")
            found.append(((told["at"] - sent) / 2, told["clock"] - (sent + told["at"]) / 2))
        doubt, ahead = min(found)
        return Clock(ahead, doubt)

    def _why(self, otherwise: str) -> str:
        """Return what is the matter with the host, in one sentence."""
        name, code = self.host.name, None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1.0)
        said = self._complaint()
        if code == MISSING:
            return f"{name} has no generator of this checkout: `make deploy ENV={self.inventory}` puts it there."
        if code == NO_LOGIN:
            return f"{name} cannot be reached by SSH: {said}. Check that `ssh` gets there, as Ansible does."
        if f"{UNIT}.service" in said and ("already" in said or "exists" in said):
            return f"{name} generates load for another run: wait for its end, or `systemctl stop {UNIT}` there."
        return f"{name} {otherwise}" + (f": {said}." if said else ".")

    def _complaint(self) -> str:
        """Return the last that was said there, or by ssh."""
        for reader in self._readers:
            reader.join(1.0)
        return next((line.strip().rstrip(".") for line in reversed(self._complaints) if line.strip()), "")


def _each(stream: Iterator[str], take: Any) -> None:
    for line in stream:
        take(line)
