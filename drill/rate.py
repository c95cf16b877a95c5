"""How many losses a fault costs, and how sure that figure is."""

from __future__ import annotations

import math
from dataclasses import dataclass

TAIL = 0.025  # on each side of the interval


@dataclass(frozen=True)
class Rate:
    """Losses per fault, and the limits between which the true rate lies with 95 % confidence."""

    losses: int
    faults: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return "0.35 per fault (95 %: 0.19 to 0.59; 14 in 40)"."""
        return f"{self.value:.2g} per fault (95 %: {self.low:.2g} to {self.high:.2g}; {self.losses} in {self.faults})"


def rate(losses: int, faults: int) -> Rate:
    """Return losses per fault with Garwood's exact interval of a Poisson rate, 95 %.

    Poisson, because one fault may cost several: 0 in 30 gives at most 0.12.

    Raises:
        ValueError: if there was no fault, or a number is negative.
    """
    if losses < 0 or faults < 1:
        raise ValueError(
            f"{losses} losses in {faults} faults: a rate needs one fault at least, and no negative number."
        )
    # F. Garwood, Fiducial limits for the Poisson distribution, Biometrika 28 (1936): the expectations under which
    # so many or more, and so many or fewer, are as rare as the tail.
    low = _expectation(losses - 1, 1 - TAIL) if losses else 0.0
    high = _expectation(losses, TAIL)
    return Rate(losses, faults, losses / faults, low / faults, high / faults)


def _expectation(count: int, probability: float) -> float:
    """Return the Poisson expectation under which `count` or fewer have a probability: halved down to it."""
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        # By logarithms: the terms of many losses are too small for a float.
        terms = (math.exp(number * math.log(middle) - middle - math.lgamma(number + 1)) for number in range(count + 1))
        low, high = (middle, high) if math.fsum(terms) > probability else (low, middle)
    return high
