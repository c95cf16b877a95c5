"""The clones that the tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.evidence import FAILED
from integration_tests.local.clone import Clone, cloned


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip where there is no /proc to read."""
    if sys.platform != "linux":
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="these tests read /proc: Linux only"))


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clone in which `make up` ran once; its first run is the first that it keeps."""
    with cloned(tmp_path_factory.mktemp("stack") / "clone", tmp_path_factory.mktemp("home")) as clone:
        clone.make("up")
        yield clone


@pytest.fixture
def stack(started: Clone, request: pytest.FixtureRequest) -> Iterator[Clone]:
    """The running stack; a test may leave an override behind."""
    yield started
    overridden = started.override_file.exists()
    started.override_file.unlink(missing_ok=True)
    if overridden or request.node.stash.get(FAILED, False):
        started.make("deploy", "ENV=local")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clone beside the first: ports chosen, nothing runs."""
    with cloned(tmp_path_factory.mktemp("second") / "clone", tmp_path_factory.mktemp("home")) as clone:
        clone.make("validate", "ENV=local")
        yield clone


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clone in which nothing was done yet."""
    with cloned(tmp_path_factory.mktemp("bare") / "clone", tmp_path_factory.mktemp("home")) as clone:
        yield clone
