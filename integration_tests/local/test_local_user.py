"""`make up` as an ordinary user with an empty home, empty caches and the system's Python."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from integration_tests.local.clone import Clone
from integration_tests.local.conftest import cloned
from integration_tests.local.processes import processes

USER = "stack-test"
PYTHON = Path("/usr/bin/python3")
FIRST = 90.0  # seconds that the issue allows, with a package mirror at hand
SYSTEM = ("/proc", "/sys", "/dev", "/run/user")


def missing() -> str:
    """Return what this machine lacks for the test; empty if nothing."""
    if os.getuid() != 0:
        return "only root can make another user"
    if not shutil.which("useradd") or not shutil.which("runuser"):
        return "useradd or runuser is missing"
    if subprocess.run([str(PYTHON), "-c", "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"], capture_output=True).returncode:
        return f"{PYTHON} is missing, older than 3.11, or has no ensurepip"
    return ""


@pytest.fixture
def user() -> Iterator[pwd.struct_passwd]:
    """A user who owns nothing but an empty home; removed in the end."""
    if reason := missing():
        pytest.skip(reason)
    home = Path(tempfile.mkdtemp(prefix="stack-test-", dir="/tmp"))
    subprocess.run(["useradd", "--system", "--home-dir", str(home), "--shell", "/bin/sh", USER], check=True)
    found = pwd.getpwnam(USER)
    os.chown(home, found.pw_uid, found.pw_gid)
    try:
        yield found
    finally:
        subprocess.run(["userdel", USER], check=True)
        shutil.rmtree(home, ignore_errors=True)
