"""How many losses a fault costs, and how sure that figure is."""

from __future__ import annotations

from dataclasses import dataclass


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
    raise NotImplementedError
