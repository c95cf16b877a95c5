"""Building blocks of chains, groups and chords; `probe.add` is the third."""

from __future__ import annotations

from tasks.probe.declare import probe
from tasks.probe.errors import ProbeError


@probe("sum")
def total(numbers: list[float]) -> float:
    """Return the sum of the numbers; the body of a chord, which gets its header's results as a list."""
    return sum(numbers)


@probe("fail")
def fail(message: str = "asked to fail") -> None:
    """Fail with a message.

    Raises:
        ProbeError: always.
    """
    raise ProbeError(message)
