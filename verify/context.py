"""What the questions about one application share."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from celery import Celery

from verify.board import Board
from verify.expected import Application
from verify.inspection import ask
from verify.model import Row, Status
from verify.results import Answers
from verify.threads import Budget
from verify.words import Words

# Seconds on top of what a probe takes by itself: a pool may need 5 s to replace a child (see checks/limits.py).
PATIENCE = 6.0


@dataclass
class Target:
    """An application, and the means to talk to it."""

    application: Application
    board: Board
    words: Words
    client: Celery
    answers: Answers
    budget: Budget
    servers: Iterable[Row] = ()  # rows of its Redis whose failure explains a failure of anything else
    nodes: frozenset[str] = field(default_factory=frozenset)  # every worker of the fleet, of other applications, too

    def ask_nodes(self, command: str, nodes: Collection[str], **arguments: Any) -> dict[str, Any]:
        """Ask workers over remote control; return what those that answered said."""
        return ask(self.client, command, nodes, **arguments)


def open_gates(gates: Iterable[Row]) -> bool:
    """Whether nothing stands in the way of asking."""
    return all(row.status is Status.PASSED for row in gates)
