"""A rate of losses comes with the interval that so few faults allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.rate import rate

# Limits of the expectation, to three places: Garwood's table (Biometrika 28, 1936), as reprinted in any.
TABLE = {
    0: (0, 3.689),
    1: (0.025, 5.572),
    2: (0.242, 7.225),
    5: (1.623, 11.668),
    10: (4.795, 18.390),
    50: (37.111, 65.918),
}


@pytest.mark.parametrize(("losses", "limits"), TABLE.items())
def test_the_interval_is_the_one_of_the_table(losses: int, limits: tuple[float, float]) -> None:
    found = rate(losses, 1)
    assert (found.low, found.high) == pytest.approx(limits, abs=0.001)


def test_it_is_told_per_fault_with_what_it_rests_on() -> None:
    assert str(rate(14, 40)) == "0.35 per fault (95 %: 0.19 to 0.59; 14 in 40)"
    assert str(rate(0, 30)) == "0 per fault (95 %: 0 to 0.12; 0 in 30)"


@given(st.integers(0, 300), st.integers(1, 500))
def test_the_value_lies_within_and_more_losses_mean_more(losses: int, faults: int) -> None:
    found, more = rate(losses, faults), rate(losses + 1, faults)
    assert 0 <= found.low <= found.value < found.high
    assert found.low < more.low
    assert found.high < more.high


@pytest.mark.parametrize(("losses", "faults"), [(0, 0), (-1, 3)])
def test_no_fault_has_no_rate(losses: int, faults: int) -> None:
    with pytest.raises(ValueError, match="needs one fault at least"):
        rate(losses, faults)
