"""What is deployed may be a directory, a tag of a git repository or a wheel; each is a release of its own."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.checkout import CHECKOUT
from integration_tests.local.clone import Clone


@pytest.fixture
def second(prepared: Clone) -> Iterator[Clone]:
    """A clone beside the first, stopped again for whoever needs its ports."""
    yield prepared
    prepared.override_file.unlink(missing_ok=True)
    prepared.make("down")


def repository(folder: Path, clone: Clone) -> str:
    """Make a git repository of the reference application, with a tag; return its address."""
    clone.run("cp", "-r", str(CHECKOUT / "tasks"), str(folder / "tasks"))
    git = ("git", "-C", str(folder), "-c", "user.email=test@example.com", "-c", "user.name=test")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"], ["tag", "v1"]):
        clone.run(*git, *words)
    return f"file://{folder}"


def wheel(folder: Path) -> Path:
    """Pack the reference application as a wheel, as PEP 427 describes it."""
    path, info, record = folder / "demo_tasks-1.0-py3-none-any.whl", "demo_tasks-1.0.dist-info", []
    files = {str(file.relative_to(CHECKOUT)): file.read_bytes() for file in (CHECKOUT / "tasks").rglob("*.py")}
    files[f"{info}/METADATA"] = b"Metadata-Version: 2.1\nName: demo-tasks\nVersion: 1.0\n"
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(content)}\n")
        archive.writestr(f"{info}/RECORD", "".join(record) + f"{info}/RECORD,,\n")
    return path


def test_git_then_wheel(second: Clone, tmp_path: Path) -> None:
    """celery_source_kind git, then wheel: the workers run what is in it, and every promise is kept."""
    (tmp_path / "repository").mkdir()
    address = repository(tmp_path / "repository", second)
    second.override_file.write_text(f"celery_source_kind: git\ncelery_source: {address}\ncelery_source_version: v1\n")
    second.make("up")
    current = second.root / "opt/celery/current"
    from_git = current.resolve()
    assert (current / "app" / "tasks" / "app.py").exists()
    second.override_file.write_text(f"celery_source_kind: wheel\ncelery_source: {wheel(tmp_path)}\n")
    second.make("up")
    assert current.resolve() != from_git
    assert list((current / "venv").glob("lib/*/site-packages/tasks/app.py"))
    assert {row["status"] for row in second.rows()} <= {"passed", "skipped"}


def test_git_that_is_not_there(second: Clone, tmp_path: Path) -> None:
    """A repository that cannot be fetched: the deploy fails and names it, and the release that runs stays the one."""
    current = second.root / "opt/celery/current"
    before = current.resolve()
    second.override_file.write_text(
        f"celery_source_kind: git\ncelery_source: file://{tmp_path}/nothing\ncelery_source_version: v1\n"
    )
    run = second.make("deploy", "ENV=local", expect=2)
    assert f"{tmp_path}/nothing" in "\n".join(run.said[-8:])
    assert "Traceback" not in run.output
    assert current.resolve() == before
