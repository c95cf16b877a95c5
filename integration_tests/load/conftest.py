"""The stack that the tests of the generator share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integration_tests.load.stack import Stack


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Redis runs, nobody consumes."""
    stack = Stack(tmp_path_factory.mktemp("load"))
    stack.stage()
    with stack.redis_server():
        yield stack


@pytest.fixture(scope="module")
def working(served: Stack) -> Iterator[Stack]:
    """Redis and a worker run."""
    with served.worker():
        yield served
