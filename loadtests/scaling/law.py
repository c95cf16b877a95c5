"""The Universal Scalability Law, fitted to measured throughput.

C(N) = rate*N / (1 + contention*(N-1) + coherency*N*(N-1)): N workers would carry N times what one does, if they did not
wait for each other (contention, the law's sigma) and did not have to agree with each other (coherency, its kappa).
N. J. Gunther, Guerrilla Capacity Planning, Springer 2007, chapter 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PARAMETERS = 3
NOTHING = 1e-5  # of contention and coherency: what a fit leaves of a zero, and a peak beyond 300 workers
ODD = 0.05  # share by which a measurement may be off before it counts less: it may have met another load
DRAWS = 300  # fits to resampled measurements
CONFIDENCE = 0.95
Interval = tuple[float, float]


@dataclass(frozen=True)
class Law:
    """The law with its three parameters."""

    rate: float  # lambda: tasks per second of one worker
    contention: float  # sigma: share of the work that only one can do at a time
    coherency: float  # kappa: what each pair of workers costs

    def at(self, workers: float) -> float:
        """Return the throughput of so many workers, in tasks per second."""
        waiting = self.contention * (workers - 1) + self.coherency * workers * (workers - 1)
        return self.rate * workers / (1 + waiting)

    @property
    def peak(self) -> float:
        """The number of workers beyond which throughput falls; infinity where it never does."""
        if self.coherency <= 0:
            return math.inf
        return max(1.0, math.sqrt(max(0.0, 1 - self.contention) / self.coherency))

    @property
    def most(self) -> float:
        """The throughput that is never exceeded, in tasks per second."""
        if math.isfinite(self.peak):
            return self.at(self.peak)
        return self.rate / self.contention if self.contention > 0 else math.inf

    @property
    def knee(self) -> float:
        """Where perfect scaling would reach the most: from about here on, further workers bring little."""
        return self.most / self.rate

    def workers_for(self, rate: float) -> int | None:
        """Return the fewest workers that carry so many tasks per second; None where no number does."""
        if rate > self.most:
            return None
        count = max(1, math.ceil(rate / self.rate))
        while self.at(count) < rate and count < self.peak:
            count += 1
        return count if self.at(count) >= rate else None


@dataclass(frozen=True)
class Fit:
    """A law with its doubt: the laws that measurements with other noise of the same size would have given."""

    law: Law
    laws: tuple[Law, ...]
    residuals: tuple[float, ...]  # of the measurements, as shares of what the law says

    def interval(self, of: Callable[[Law], float]) -> Interval:
        """Return where a figure of the law lies, with a confidence of 95 %."""
        return _middle([of(law) for law in self.laws])

    def expected(self, workers: float) -> Interval:
        """Return where a further measurement of so many workers would lie, with a confidence of 95 %."""
        return _middle([law.at(workers) * (1 + one) for law in self.laws for one in self.residuals])


def fit(points: Sequence[tuple[int, float]], seed: int = 1) -> Fit:
    """Fit the law by robust non-linear least squares of relative errors, and bootstrap its residuals.

    Args:
        points: workers, and the tasks per second that were measured with them; a size may be there several times.
        seed: of the resampling.

    Raises:
        ValueError: if the measurements cannot tell three parameters and their noise.
    """
    sizes = sorted({workers for workers, _ in points})
    if len(sizes) < PARAMETERS or len(points) <= PARAMETERS:
        raise ValueError(
            f"the law has {PARAMETERS} parameters, and {len(points)} measurements of the sizes {sizes} cannot tell them "
            "from noise: measure three sizes at least, twice each."
        )
    if any(not rate > 0 for _, rate in points):
        raise ValueError(f"a throughput of {min(rate for _, rate in points):g} tasks/s is no measurement.")
    import numpy as np
    from scipy.special import ndtri, stdtrit

    workers = np.array([float(one) for one, _ in points])
    rates = np.array([float(rate) for _, rate in points])
    law = _least_squares(workers, rates)
    told = np.array([law.at(one) for one in workers])
    # A fit of three parameters takes part of the noise for its own; and of few measurements the noise itself is in doubt,
    # for which Student's t stands in place of the normal distribution.
    free, edge = len(points) - PARAMETERS, (1 + CONFIDENCE) / 2
    few = float(stdtrit(free, edge) / ndtri(edge))
    residuals = (rates / told - 1) * math.sqrt(len(points) / free) * few
    residuals -= residuals.mean()
    draw = np.random.default_rng(seed)
    laws = [
        _least_squares(workers, told * np.maximum(0.01, 1 + draw.choice(residuals, len(points)))) for _ in range(DRAWS)
    ]
    return Fit(law, tuple(laws), tuple(float(one) for one in residuals))


def _least_squares(workers: Any, rates: Any) -> Law:
    import numpy as np
    from scipy.optimize import curve_fit, nnls

    def says(count: Any, rate: float, contention: float, coherency: float) -> Any:
        return rate * count / (1 + contention * (count - 1) + coherency * count * (count - 1))

    # N/C is linear in 1/rate, contention/rate and coherency/rate: that gives a start near the end, wherever it is.
    columns = np.stack([np.ones_like(workers), workers - 1, workers * (workers - 1)], axis=1)
    (whole, waits, agrees), _ = nnls(columns / (workers / rates)[:, None], np.ones_like(workers))
    whole = max(whole, 1e-12)
    most = float((rates / workers).max())
    start = [1 / whole / most, min(waits / whole, 1.0), agrees / whole]
    (rate, contention, coherency), _ = curve_fit(
        says,
        workers,
        rates / most,
        p0=start,
        sigma=rates / most,
        bounds=([0, 0, 0], [np.inf, 1, np.inf]),
        x_scale="jac",
        loss="cauchy",
        f_scale=ODD,
        max_nfev=2000,
    )
    waiting, agreeing = (float(one) if one > NOTHING else 0.0 for one in (contention, coherency))
    return Law(float(rate) * most, waiting, agreeing)


def _middle(values: Sequence[float]) -> Interval:
    """Return the bounds of the middle 95 %."""
    ranked = sorted(values)
    out = (1 - CONFIDENCE) / 2
    last = len(ranked) - 1
    return ranked[math.floor(out * last)], ranked[math.ceil((1 - out) * last)]
