"""The clones that the tests share, and what a failing test leaves behind."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from integration_tests.local.clone import CHECKOUT, CLONES, Clone, cloned

ARTIFACTS = CHECKOUT / "build" / "artifacts"
FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip where there is no /proc to read."""
    if sys.platform != "linux":
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="these tests read /proc: Linux only"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the evidence of a failure while it is there."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        with suppress(OSError):
            keep_evidence(ARTIFACTS / item.name.replace("/", "_"))
    return report


def keep_evidence(folder: Path) -> None:
    """Copy logs, reports and outputs of every clone."""
    for number, clone in enumerate(CLONES, start=1):
        target = folder / f"{number}-{clone.folder.name[:20]}"
        target.mkdir(parents=True, exist_ok=True)
        told = (
            f"$ {' '.join(run.words)}\n{run.output}\nexit {run.code} after {run.seconds:.1f} s\n" for run in clone.runs
        )
        (target / "outputs.log").write_text("\n".join(told))
        for file in (
            *clone.root.glob("var/log/*/*"),
            *clone.folder.glob("build/*/*.json"),
            *clone.folder.glob("build/*/*.log"),
        ):
            if file.is_file():
                shutil.copy(file, target / "-".join(file.relative_to(clone.folder).parts).lstrip("."))


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
