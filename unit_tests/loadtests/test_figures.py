"""Promise: a time is kept with three digits, whatever its size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.figures import rounded


@given(st.floats(0.01, 1e6))
def test_three_digits_are_kept(milliseconds: float) -> None:
    kept = rounded(milliseconds)
    assert kept == pytest.approx(milliseconds, rel=0.0051)
    assert kept == float(f"{kept:.3g}")


@pytest.mark.parametrize(
    ("milliseconds", "kept"),
    [(-1.0, 0.0), (0.0, 0.0), (0.00123, 0.00123), (1.006, 1.01), (99.96, 100.0), (1234.5, 1230.0)],
)
def test_some_times(milliseconds: float, kept: float) -> None:
    assert rounded(milliseconds) == kept
