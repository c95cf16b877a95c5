"""What images.yml says can be built, and a built image's tag changes with anything that goes into it."""

from __future__ import annotations

import dataclasses
import tarfile
from pathlib import Path

import pytest

from engine import images
from engine.errors import NotPossible
from engine.images import Image, described, families


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout with a worker's folder, tasks and requirements, bytecode among them."""
    for name in ("images/worker/Dockerfile", "tasks/app.py", "tasks/__pycache__/app.pyc", "requirements/worker.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    monkeypatch.setattr(images, "CHECKOUT", tmp_path)
    return tmp_path


WORKER = Image("worker", build="images/worker", base="python", context=("tasks", "requirements/worker.txt"))


@pytest.mark.parametrize("image", described().values(), ids=lambda image: image.name)
def test_every_image_can_be_had_without_a_registry(image: Image) -> None:
    assert (image.suite and image.pull) or (image.build and image.base in described())
    assert not image.build or (images.CHECKOUT / image.build / "Dockerfile").is_file()
    assert all((images.CHECKOUT / entry).exists() for entry in image.context)


@pytest.mark.parametrize("path", ["images/worker/Dockerfile", "tasks/app.py", "requirements/worker.txt"])
def test_the_tag_changes_with_each_file(checkout: Path, path: str) -> None:
    before = images._digest(WORKER, "python:1")
    (checkout / path).write_text("changed", encoding="utf-8")
    assert images._digest(WORKER, "python:1") != before


def test_the_tag_changes_with_base_arguments_and_a_new_file(checkout: Path) -> None:
    plus = dataclasses.replace(WORKER, arguments={"REQUIREMENTS": "requirements/worker-plus.txt"})
    found = {images._digest(WORKER, "python:1"), images._digest(WORKER, "python:2"), images._digest(plus, "python:1")}
    (checkout / "tasks" / "new.py").touch()
    assert len(found | {images._digest(WORKER, "python:1")}) == 4


def test_the_tag_stays_when_tasks_are_imported_here(checkout: Path) -> None:
    before = images._digest(WORKER, "python:1")
    (checkout / "tasks" / "__pycache__" / "app.pyc").write_text("of another Python", encoding="utf-8")
    assert images._digest(WORKER, "python:1") == before


@pytest.mark.usefixtures("checkout")
def test_docker_gets_what_the_image_names_and_no_more() -> None:
    with images._context(WORKER) as file, tarfile.open(fileobj=file) as archive:
        assert archive.getnames() == ["images/worker/Dockerfile", "requirements/worker.txt", "tasks/app.py"]
    with images._context(dataclasses.replace(WORKER, context=())) as file, tarfile.open(fileobj=file) as archive:
        assert archive.getnames() == ["Dockerfile"]


def test_families_share_no_base() -> None:
    assert families(["redis-7", "tools", "worker-3.11", "worker-3.13-plus", "debian-13"]) == [
        ["redis-7", "worker-3.11"],
        ["tools", "worker-3.13-plus", "debian-13"],
    ]


def test_an_image_that_there_is_not_is_refused_before_anything_is_built() -> None:
    with pytest.raises(NotPossible, match=r"no image redis-9: use one of .*redis-8"):
        families(["redis-7", "redis-9"])
