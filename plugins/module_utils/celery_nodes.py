"""Asking a Celery node to drain, and waiting until it consumes: what every process manager does round a restart.

Used by the modules systemd_units and supervisor_programs. Standard library only; the asking itself is done by
celery-node.py, which runs in the release's virtual environment.
"""

from __future__ import annotations

import subprocess
from typing import Any

OPTIONS: dict[str, Any] = {
    "host": {"type": "str", "default": ""},
    "ask": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "path"},
    "drain_timeout": {"type": "int", "default": 60},
    "ready_timeout": {"type": "int", "default": 60},
}
# The environment file is read by a shell, which reads it as systemd does: see the filter to_environment.
WITH_ENVIRONMENT = ["sh", "-c", 'set -a; . "$0"; exec "$@"']
MARGIN = 30  # seconds on top of what celery-node.py is given: its own start on a busy host


class Nodes:
    """The Celery nodes of a host's programs; a program that is none is neither drained nor waited for."""

    def __init__(self, params: dict[str, Any]) -> None:
        """Take the module's parameters."""
        self.host: str = params["host"]
        self.command = [*WITH_ENVIRONMENT, params["environment"], *params["ask"]]
        self.drain_timeout: int = params["drain_timeout"]
        self.ready_timeout: int = params["ready_timeout"]

    def node(self, program: str) -> str:
        """Return the node of a program: celery-worker@fast-1, or -fast-1, is fast-1@host; empty where it is none."""
        if not self.host:
            return ""
        if program == "celery-beat":
            return f"celerybeat@{self.host}"
        is_worker = program.startswith(("celery-worker@", "celery-worker-"))
        return f"{program[len('celery-worker-') :]}@{self.host}" if is_worker else ""

    def drain(self, program: str) -> str:
        """Let a node finish what it holds and take nothing new; return what was said. A node that is down is drained."""
        if program == "celery-beat":
            return ""  # it holds no task
        return self._ask("drain", program, self.drain_timeout)[1]

    def ready(self, program: str, *, started: bool) -> str:
        """Wait until a node that was started consumes, or one that was not answers; return why not, or nothing."""
        code, said = self._ask("ready" if started else "answers", program, self.ready_timeout)
        return said if code else ""

    def _ask(self, what: str, program: str, seconds: int) -> tuple[int, str]:
        node = self.node(program)
        if not node:
            return 0, ""
        try:
            done = subprocess.run(
                [*self.command, what, node, str(seconds)],
                capture_output=True,
                text=True,
                timeout=seconds + MARGIN,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 1, f"{node}: celery-node did not end within {seconds + MARGIN} s"
        return done.returncode, (done.stdout + done.stderr).strip()
