"""History → verdict: what was lost, what ran twice, what came late, and after which fault."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from drill.history import Event
from drill.verdict import Verdict


def judge(
    history: Iterable[Event],
    *,
    late_after: float | None = None,
    ordered: Collection[str] = (),
    aftermath: float = 0.0,
) -> Verdict:
    """Reduce a history to a verdict. Pure; the order of the events does not matter.

    Judge after the last fault was healed and the queues were drained: what has not finished yet counts as lost.

    Args:
        history: the events of sender, workers and nemesis together.
        late_after: seconds from the intended submit after which a finish is late; None: nothing is.
        ordered: queues (`queue` in the detail of `submitted`) whose order is asked for: those that one consumer
            with a single slot serves.
        aftermath: seconds for which a fault may still do harm after it was healed; the visibility timeout, where
            messages come back by it.
    """
    raise NotImplementedError
