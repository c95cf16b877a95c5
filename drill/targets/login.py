"""Commands on the hosts of an inventory, over the SSH that Ansible uses."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import NotPossible
from verify.tunnel import ssh

KEPT = 60  # seconds that a login is kept for the next command
LONGEST = 180.0  # seconds: above every stop timeout
NO_LOGIN = 255  # exit code of ssh itself


class Logins:
    """Runs shell scripts as root; the login to a host is kept for the next one."""

    def __init__(self, variables: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
        """Nothing is logged in to yet.

        Args:
            variables: host → Ansible's connection variables.
            folder: for the sockets of kept logins; its path must be short.
        """
        self._variables = variables
        self._options = ("-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/%C", "-o", f"ControlPersist={KEPT}")

    def port(self, host: str) -> int:
        """Return where the host's sshd listens."""
        return int(self._variables[host].get("ansible_port") or 22)

    def run(self, host: str, script: str) -> str:
        """Run a script and return its output.

        Raises:
            NotPossible: if it fails or takes too long, or the host cannot be logged in to.
        """
        words = [*ssh(host, self._variables[host], *self._options), f"sudo -n sh -c {shlex.quote(script)}"]
        try:
            # A session of its own: Ctrl-C is for us, and must not end the command half-way.
            done = subprocess.run(
                words, capture_output=True, text=True, check=False, timeout=LONGEST, start_new_session=True
            )
        except subprocess.TimeoutExpired:
            raise NotPossible(f"{host}: `{script}` took longer than {LONGEST:g} s.") from None
        said = done.stderr.strip() or done.stdout.strip()
        if done.returncode == NO_LOGIN:
            raise NotPossible(f"{host} cannot be reached by SSH: {said}. Check that `ssh` gets there, as Ansible does.")
        if done.returncode:
            raise NotPossible(f"{host}: `{script}` exited {done.returncode}: {said}")
        return done.stdout

    def open(self, host: str, script: str) -> subprocess.Popen[str]:
        """Start a script that goes on until its input is closed; its output can be read line by line."""
        words = [*ssh(host, self._variables[host], *self._options), f"sudo -n sh -c {shlex.quote(script)}"]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, bufsize=1, start_new_session=True
        )

    def close(self) -> None:
        """Log out of every host."""
        for host, variables in self._variables.items():
            words = ssh(host, variables, *self._options, "-O", "exit")
            subprocess.run(words, capture_output=True, check=False, timeout=LONGEST)
