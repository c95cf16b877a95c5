"""The limits of a probe's arguments: a wrong argument must not hurt a production system."""

from __future__ import annotations

HOUR = 3600.0


def within(task: str, argument: str, value: float, low: float, high: float, unit: str = "") -> None:
    """Check that a number lies between two limits, both allowed.

    Args:
        task: the task's name, for the message.
        argument: the argument's name, for the message.
        value: what was sent; JSON may bring anything, NaN included.
        low: the smallest value allowed.
        high: the largest value allowed.
        unit: the unit of all three, for the message.

    Raises:
        ValueError: if it is no number or outside; the message names the value, the limit and the fix.
    """
    unit = f" {unit}" if unit else ""
    given = f"{task}: {argument}={value!r}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{given} is not a number: send one from {low:g} to {high:g}{unit}.")
    if not value >= low:
        raise ValueError(f"{given} is below the limit of {low:g}{unit}: send at least {low:g}.")
    if not value <= high:
        raise ValueError(f"{given} is above the limit of {high:g}{unit}: send at most {high:g}.")
