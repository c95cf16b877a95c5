"""The description of a fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from drill.targets.target import Target

Where = Literal["redis", "worker"]
Heal = Callable[[], object]


def over() -> None:
    """Heal what is over by itself."""


@dataclass(frozen=True)
class Fault:
    """One kind of harm to one service.

    Attributes:
        name: as `make drill FAULT=…` takes it.
        says: what happens, for people.
        where: what kind of service it happens to: one that is drawn.
        begin: does it to the service of that name, and returns what heals it.
        lasts: seconds between the two, drawn evenly.
        loses: most tasks that each worker process in reach of it may lose on the stock transport, which has a gap between
            fetching a message and writing it down (kombu 1405); on redis-plus none may be lost.
        window: seconds before the fault whose accepted tasks may be lost, too: what the disk has not got yet.
        within: seconds from the heal until tasks are consumed again.
        needs: abilities of a target.
    """

    name: str
    says: str
    where: Where
    begin: Callable[[Target, str], Heal]
    lasts: tuple[float, float] = (0.0, 0.0)
    loses: int = 0
    window: float = 0.0
    within: float = 10.0
    needs: frozenset[str] = frozenset()
