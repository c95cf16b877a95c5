"""The evidence of a failure is kept while it is there; a folder's tests stay in one process."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from integration_tests.evidence import ARTIFACTS, FAILED, keep_evidence

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a folder in one process, in their order: they share a stack or a fleet (--dist loadgroup)."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(HERE).parts[0]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the evidence of a failure while it is there."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        with suppress(OSError):
            keep_evidence(ARTIFACTS / item.name.replace("/", "_"))
    return report
