"""The evidence of a failure is kept while it is there; a folder's tests stay in one process."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from integration_tests.evidence import ARTIFACTS, FAILED, keep_evidence


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]
    """A folder's tests in one process, in their order: they share a stack or a fleet."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0].rpartition("/")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """With --dist loadscope, what is not divided is a folder; marked groups (loadgroup) pytest 9.2 hides from xdist 3.8."""
    return ByFolder(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the evidence of a failure while it is there."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        with suppress(OSError):
            keep_evidence(ARTIFACTS / item.name.replace("/", "_"))
    return report
