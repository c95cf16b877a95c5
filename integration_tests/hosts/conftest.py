"""One fleet for all tests; it is made from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import NotPossible
from integration_tests.evidence import FAILED
from integration_tests.hosts.fleet import Fleet, fleet_of

# The bare hosts first, and last what looks at all that was said and written on the way.
ORDER = ("exposure", "converge", "settled", "change", "recovery", "failover", "backup", "trouble", "security", "single")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of this folder into their order; all other tests stay where they are."""
    places = [place for place, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    ours = sorted((items[place] for place in places), key=lambda item: ORDER.index(item.path.stem.rsplit("_", 1)[-1]))
    for place, item in zip(places, ours, strict=True):
        items[place] = item


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
