"""How far two samples lie apart: an interval, exact for samples of any size and any noise.

It is that of Hodges and Lehmann: all gaps between one of the first and one of the second in order, of which the outermost
are left out by the exact distribution of the rank sum. It supposes no distribution of the noise, and draws nothing,
unlike a bootstrap, for which the medians of five runs are five numbers. Source: Hollander, Wolfe, Chicken, Nonparametric
Statistical Methods, 3rd edition, 4.2 and 4.3; R's wilcox.test(exact = TRUE, conf.int = TRUE) returns the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import median_low


def interval(
    before: Sequence[float], after: Sequence[float], *, relative: bool, level: float
) -> tuple[float, float, float]:
    """Return low, centre and high of the shift from one sample to the other; of its logarithm, where it is relative."""
    gaps = sorted(_gap(one, other, relative) for one in after for other in before)
    left_out = outermost(len(before), len(after), level)
    return gaps[left_out], median_low(gaps), gaps[-1 - left_out]


def _gap(after: float, before: float, relative: bool) -> float:
    if after == before:  # infinities among them
        return 0.0
    if not relative:
        return after - before
    return _log(after) - _log(before)


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


@cache
def outermost(first: int, second: int, level: float) -> int:
    """Return how many gaps may be left out at either end: the rank sum is beyond them by chance only so often."""
    ways = rank_sums(first, second)
    left, seen = (1 - level) / 2 * sum(ways), 0
    for number, count in enumerate(ways):
        seen += count
        if seen > left:
            return max(0, number - 1)
    return 0


@cache
def rank_sums(first: int, second: int) -> tuple[int, ...]:
    """Return in how many orders of two samples U (Mann, Whitney) is 0, 1, 2 …: the largest is of the first or of the second."""
    if not first or not second:
        return (1,)
    ways = [0] * (first * second + 1)
    for number, count in enumerate(rank_sums(first - 1, second)):
        ways[number + second] += count
    for number, count in enumerate(rank_sums(first, second - 1)):
        ways[number] += count
    return tuple(ways)
