"""Promise: what the role locust brings to a host is enough to generate load there, and its id changes with it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from settings import generator
from settings.loads import shipped
from settings.model import Celery

CHECKOUT = Path(__file__).resolve().parents[2]
IMPORTS = "import loadtests.locustfile, loadtests.run.launcher, tasks, sys; print(*sys.modules)"


def imported(folder: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Import what a generator runs, from a folder and from what requirements/locust.in names."""
    profile = tmp_path / "profile.json"
    profile.write_text(shipped().profiles[0].model_dump_json())
    return subprocess.run(
        [sys.executable, "-c", IMPORTS],
        cwd=folder,
        env={"LOAD_PROFILE": str(profile), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A folder with these files and no others."""
    for name in generator.files():
        target = tmp_path / "app" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, target)
    return tmp_path / "app"


def test_the_parts_are_enough(parts: Path, tmp_path: Path) -> None:
    done = imported(parts, tmp_path)
    assert done.returncode == 0, done.stderr
    # what only the operator's machine has
    assert not {"ansible", "rich", "docker", "engine"} & set(done.stdout.split())


def test_a_part_that_is_missing_is_noticed(parts: Path, tmp_path: Path) -> None:
    """The control of the test above."""
    (parts / "verify/keys.py").unlink()
    assert "verify.keys" in imported(parts, tmp_path).stderr


def test_the_id_changes_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    celery = Celery()
    before = generator.generator_id(celery)
    assert generator.generator_id(celery.model_copy(update={"python": "python3.13"})) != before
    monkeypatch.setattr(generator, "PARTS", (*generator.PARTS, "LICENSE"))
    assert generator.generator_id(celery) != before
