"""Fixtures in layers: engine → run (network) → images → stacks → stack → ledger; each may be overridden by itself."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import docker
import pytest

from bench.disk import Disk, NoDisk
from bench.ledger import Ledger
from bench.run import Run
from bench.stack import Stack
from bench.stage import Mutation
from engine.daemon import engine as docker_engine
from engine.errors import NotPossible
from engine.matrix import Combination, combinations
from integration_tests.checkout import CHECKOUT
from integration_tests.evidence import ARTIFACTS, FAILED
from integration_tests.promise import BrokenPromise, Proof, promise_of, variant_of
from integration_tests.promises.progress import Progress, travelling
from integration_tests.promises.stacks import Stacks

FIGURES = CHECKOUT / "build" / "integration" / "promises.json"
HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of our marks."""
    config.addinivalue_line("markers", "promise(promise): what a test of integration_tests/promises proves")
    config.addinivalue_line("markers", "variant(settings, hosts): what it wants other than inventories/integration")
    if not hasattr(config, "workerinput"):  # of pytest-xdist: there the reports are only sent on
        config.pluginmanager.register(Progress(config, FIGURES), "promises")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on its mutations, too."""
    mark = metafunc.definition.get_closest_marker("promise")
    if mark and mark.args[0].mutations and "mutation" in metafunc.fixturenames:
        cases = [pytest.param(None, id=pytest.HIDDEN_PARAM)]
        cases += [pytest.param(mutation, id=f"broken: {mutation.name}") for mutation in mark.args[0].mutations]
        metafunc.parametrize("mutation", cases)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests of one variant together, file by file: they share its containers."""
    places = [place for place, item in enumerate(items) if item.path.parent == HERE]
    ours = [items[place] for place in places]
    order = {item: (str(item.path), bool(_mutation(item)), variant_of(item, _mutation(item)).key) for item in ours}
    for place, item in zip(places, sorted(ours, key=lambda item: order[item]), strict=True):
        items[place] = item


def _mutation(item: pytest.Item) -> Mutation | None:
    spec = getattr(item, "callspec", None)
    found: Mutation | None = spec.params.get("mutation") if spec else None
    return found


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Turn the verdict on a mutation round: where the promise is broken, its test has to fail."""
    mutation = _mutation(pyfuncitem)
    if mutation is None:
        return (yield)
    try:
        yield
    except BrokenPromise as error:
        pyfuncitem.user_properties.append(("broken", str(error)))
        return True
    pytest.fail(f"{pyfuncitem.originalname} passes with this broken: {mutation}. It proves nothing")


# -- the layers


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    """Docker, started where that is ours to do."""
    try:
        return docker_engine()
    except NotPossible as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def run(engine: docker.DockerClient) -> Iterator[Run]:
    """The network and the labels of this run; all that carries them is gone afterwards."""
    run = Run(engine)
    yield run
    run.close()


@pytest.fixture(scope="session")
def combination() -> Combination:
    """What the suites run on: $MATRIX, which names one combination; `make integration` goes through several."""
    first, *others = combinations(os.environ.get("MATRIX", ""))
    assert not others, "one run of pytest is one combination: `make integration MATRIX=…` goes through all"
    return first


@pytest.fixture(scope="session")
def images(engine: docker.DockerClient, combination: Combination) -> dict[str, str]:
    """The settings that name images, and what is in them."""
    return combination.settings(engine)


@pytest.fixture(scope="session")
def stacks(run: Run, images: dict[str, str], combination: Combination) -> Iterator[Stacks]:
    """The stacks that are up, by variant."""
    stacks = Stacks(run, images, combination)
    yield stacks
    stacks.close()


@pytest.fixture
def mutation() -> Mutation | None:
    """How the promise is broken on purpose; mostly it is not."""
    return None


@pytest.fixture
def stack(stacks: Stacks, mutation: Mutation | None, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Containers of the test's variant, at rest."""
    try:
        stack = stacks.take(variant_of(request.node, mutation))
    except NoDisk as error:
        pytest.skip(str(error))
    yield stack
    failed = request.node.stash.get(FAILED, False)
    if failed:
        stack.evidence(ARTIFACTS / request.node.name.replace("/", "_"))
    stacks.give_back(stack, reuse=not failed and mutation is None)


@pytest.fixture
def disk(stack: Stack) -> Disk:
    """The disk of Redis; the test's variant asks for one."""
    assert stack.disk, "mark the test with variant(disk=True)"
    return stack.disk


@pytest.fixture
def ledger(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """What the test sends, and what became of it."""
    ledger = Ledger(stack)
    yield ledger
    if request.node.stash.get(FAILED, False):
        ledger.keep(ARTIFACTS / request.node.name.replace("/", "_"))


@pytest.fixture
def proof(request: pytest.FixtureRequest) -> Iterator[Proof]:
    """Takes the figure of the test's promise."""
    promise = promise_of(request.node)
    assert promise, f"{request.node.name} takes proof and has no @promise"
    request.node.user_properties.append(("promise", travelling(promise)))
    proof = Proof(promise)
    yield proof
    if proof.figure is not None:
        request.node.user_properties.append(("figure", proof.figure))
        request.node.user_properties.append(("note", proof.note))
