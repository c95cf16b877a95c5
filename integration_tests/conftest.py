"""The evidence of a failure is kept while it is there."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress

import pytest

from integration_tests.evidence import ARTIFACTS, FAILED, keep_evidence


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the evidence of a failure while it is there."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        with suppress(OSError):
            keep_evidence(ARTIFACTS / item.name.replace("/", "_"))
    return report
