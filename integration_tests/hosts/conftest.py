"""One fleet for all tests; it is made from nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.errors import NotPossible
from integration_tests.conftest import FAILED
from integration_tests.hosts.fleet import Fleet, fleet_of


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Hosts as a provider hands them over: nothing is deployed."""
    try:
        with fleet_of(tmp_path_factory.mktemp("fleet") / "clone", tmp_path_factory.mktemp("home"), "staging") as fleet:
            fleet.make("hosts")
            yield fleet
    except NotPossible as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def deployed(bare: Fleet) -> Fleet:
    """The hosts after the first deploy; `test_hosts_converge.py` looks at it while it happens."""
    if not any(bare.units().values()):
        bare.make("deploy")
    return bare


@pytest.fixture
def fleet(deployed: Fleet, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """The running fleet; a test may leave an override behind."""
    yield deployed
    overridden = deployed.override_file.exists()
    deployed.override_file.unlink(missing_ok=True)
    if overridden or request.node.stash.get(FAILED, False):
        deployed.make("deploy", expect=None)
