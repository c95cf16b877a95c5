"""A verdict for people, and for machines."""

from __future__ import annotations

from typing import Any, TextIO

from drill.verdict import Verdict


def as_dict(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as JSON values: its fields by their names, times in seconds."""
    raise NotImplementedError


def tell(verdict: Verdict, stream: TextIO | None = None) -> None:
    """Print the counts, a line for each fault, and what was lost, phantom or doubled by its id.

    Args:
        verdict: what is shown.
        stream: standard output by default.
    """
    raise NotImplementedError
