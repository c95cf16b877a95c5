"""`make up` as an ordinary user with an empty home, empty caches and the system's Python."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.local.clone import Clone, cloned
from integration_tests.local.processes import processes

USER = "stack-test"
PYTHON = Path("/usr/bin/python3")
FIRST = 90.0  # seconds that the issue allows, with a package mirror at hand


def missing() -> str:
    """Return what this machine lacks for the test; empty if nothing."""
    if os.getuid() != 0:
        return "only root can make another user"
    if not shutil.which("useradd") or not shutil.which("runuser"):
        return "useradd or runuser is missing"
    fit = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
    if not PYTHON.exists() or subprocess.run([str(PYTHON), "-c", fit], capture_output=True, check=False).returncode:
        return f"{PYTHON} is missing, older than 3.11, or has no ensurepip"
    return ""


@pytest.fixture
def user() -> Iterator[pwd.struct_passwd]:
    """A user who owns nothing but an empty home; removed in the end."""
    if reason := missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="stack-test-") as home:
        subprocess.run(["useradd", "--system", "--home-dir", home, "--shell", "/bin/sh", USER], check=True)
        found = pwd.getpwnam(USER)
        os.chown(home, found.pw_uid, found.pw_gid)
        try:
            yield found
        finally:
            subprocess.run(["userdel", USER], check=True)


def owned(user: pwd.struct_passwd) -> set[str]:
    """Return every file of the user outside its home, on all of this file system."""
    command = ["find", "/", "-xdev", "-path", user.pw_dir, "-prune", "-o", "-uid", str(user.pw_uid), "-print"]
    return set(subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines())


def test_ordinary_user_needs_nothing_but_python_and_make(user: pwd.struct_passwd) -> None:
    """No root, no caches: `make up` within 90 s, every promise kept, no file outside the home, all gone after `make down`."""
    home, before = Path(user.pw_dir), owned(user)
    with cloned(home / "clone", home) as clone:
        become(clone, user)
        first = clone.make("up")
        print(f"first make up of a user with empty caches: {first.seconds:.1f} s")
        assert {row["status"] for row in clone.rows()} == {"passed"}
        assert {Path(f"/proc/{process.pid}").stat().st_uid for process in clone.processes()} == {user.pw_uid}
        assert first.seconds < FIRST
        clone.make("down")
        assert owned(user) - before == set()
        assert [process for process in processes() if Path(f"/proc/{process.pid}").stat().st_uid == user.pw_uid] == []


def become(clone: Clone, user: pwd.struct_passwd) -> None:
    """Give the clone away, and run what follows as the user, in a terminal of its own."""
    subprocess.run(["chown", "--recursive", f"{user.pw_uid}:{user.pw_gid}", user.pw_dir], check=True)
    clone.prefix = (str(shutil.which("runuser")), "--user", user.pw_name, "--")
    for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "PIP_CONFIG_FILE", "PYTHON", "TMPDIR"):
        clone.environment.pop(name, None)
    clone.environment["PATH"] = f"{PYTHON.parent}:/bin"
