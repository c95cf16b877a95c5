"""Measures: throughput and latency of each size, then a size that was not measured."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from statistics import median

import yaml

from bench.run import Run
from engine.errors import NotPossible
from loadtests.figures import WHOLE, percentile
from loadtests.run.generate import generate
from loadtests.scaling.answer import Latency, bearable, memory, workers_for
from loadtests.scaling.drain import Drain, Drainer
from loadtests.scaling.law import fit
from loadtests.scaling.outcome import Answer, Check, Curve, Outcome, Throughput
from loadtests.scaling.plan import Plan
from loadtests.scaling.site import Site, site
from settings.model.load import LoadPhase

SHARES = (0.5, 0.7, 0.85)  # of the throughput, at which latency is measured
ARRIVALS = 2.0  # times as long as a drain, for a p95 out of arrivals at random
WARM_UP = 2.0  # seconds
CHECKS = 3  # drains of the size that was not measured
HALF = 0.5  # of the most, where no rate is asked for
Say = Callable[[str], None]


class Saturated(NotPossible):
    """The generator had no CPU to spare beside the workers."""


class Sweep:
    """A sweep on the containers of a run."""

    def __init__(self, plan: Plan, run: Run, images: Mapping[str, str], say: Say) -> None:
        """Take what is asked.

        Args:
            plan: what is asked.
            run: owns the containers.
            images: settings that name images and what is in them.
            say: is told what was measured, as soon as it is.
        """
        self.plan, self.run, self.say = plan, run, say
        words = (word.partition("=") for word in plan.settings)
        self.settings = {**images, **{name: yaml.safe_load(value) for name, _, value in words}}
        date = datetime.now(UTC).isoformat(timespec="seconds")
        self.outcome = Outcome(plan.command, date, plan.profile.name, os.cpu_count() or 1)

    def measure(self) -> Outcome:
        """Sweep, answer, and check the answer; where there is none, what was measured stands with the reason.

        Raises:
            NotPossible: if a size cannot be measured; the message is one sentence.
        """
        for concurrency in self.plan.concurrency:
            self.outcome.curves.append(self._curve(concurrency))
        try:
            curve, workers, rate = self._choose()
            with self._site(max(workers, self._unmeasured(workers)), curve.concurrency) as there:
                self._check(there, curve, workers, rate)
        except NotPossible as error:
            self.outcome.refusal = str(error)
        return self.outcome

    def _site(self, processes: int, concurrency: int) -> AbstractContextManager[Site]:
        return site(self.run, self.settings, self.plan.group, processes, concurrency)

    def _curve(self, concurrency: int) -> Curve:
        """Measure every size going down and going up again: what drifts meanwhile does not look like a law."""
        sizes = self.plan.sizes
        drains: list[Throughput] = []
        weights: list[Drain] = []
        with self._site(sizes[-1], concurrency) as there:
            base = int(there.stack.info("memory")["used_memory"])
            drainer = self._drainer(there)
            drainer.measure(self.plan.seconds)  # what has just started is slower
            for workers in self.plan.rounds * (*reversed(sizes), *sizes):
                there.resize(workers)
                weights.append(drainer.measure(self.plan.seconds))
                drains.append(Throughput(workers, weights[-1].tasks, weights[-1].rate))
                self.say(f"{workers} workers with {concurrency} slots each: {weights[-1].rate:.0f} tasks/s")
            drainer.close()
            found = fit([(one.workers, one.rate) for one in drains], self.plan.seed)
            latencies = []
            for workers in sorted({sizes[-1], sizes[len(sizes) // 2]}, reverse=True):
                there.resize(workers)
                for share in SHARES:
                    try:
                        latencies.append(self._latency(there, workers, share, share * found.law.at(workers)))
                    except Saturated as error:  # here, that is no figure of the system's, and no more is asked
                        self.say(f"{workers} workers at {share:.0%}: not measured. {error}")
                        break
        heaviest = max(weights, key=lambda one: one.message)
        allowed = bearable(latencies, self.plan.bound)
        return Curve(concurrency, drains, found, latencies, allowed, heaviest.message, heaviest.result, base)

    def _drainer(self, there: Site) -> Drainer:
        return Drainer(there.target, self.plan.profile, there.admin, self.plan.seed)

    def _latency(self, there: Site, workers: int, share: float, rate: float) -> Latency:
        phase = LoadPhase(seconds=WARM_UP + ARRIVALS * self.plan.seconds, rate=rate)
        said = {
            "phases": [phase],
            "trace": "",
            "warm_up": WARM_UP,
            "random": True,
            "seed": self.plan.seed,
            "faults": [],
        }
        figures = generate(there.target, self.plan.profile.model_copy(update=said), self.run.folder / "generator")
        if figures.complaint:
            raise Saturated(figures.complaint)
        errors: Counter[str] = figures.errors()
        if errors:
            raise NotPossible(
                f"{errors.total()} tasks had no good end at {rate:.0f} tasks/s with {workers} workers: "
                f"{errors.most_common(1)[0][0]}."
            )
        times = figures.times(WHOLE, since=WARM_UP)
        found = Latency(workers, share, rate, percentile(times, 0.5) / 1000, percentile(times, 0.95) / 1000)
        self.say(f"{workers} workers at {rate:.0f} tasks/s ({share:.0%}): p95 {found.p95:.3f} s")
        return found

    def _p95(self, there: Site, workers: int, share: float, rate: float) -> float:
        """Return the median of several runs: in one alone, a stall of half a second is its p95."""
        found, refused = [], []
        for _ in range(2 * self.plan.rounds - 1):
            try:
                found.append(self._latency(there, workers, share, rate).p95)
            except Saturated as error:
                refused.append(error)
        if not found:
            raise refused[0]
        return median(found)

    def _choose(self) -> tuple[Curve, int, float]:
        """Return the curve whose answer needs the fewest processes, its workers, and the rate."""
        able = [curve for curve in self.outcome.curves if curve.share is not None]
        if not able:
            known = [one.p95 for curve in self.outcome.curves for one in curve.latencies]
            if not known:
                raise NotPossible("no latency was measured: this machine has no core left for a generator.")
            best = min(known)
            raise NotPossible(
                f"P95={self.plan.bound:g}: the least that was measured is {best:.3f} s, at {SHARES[0]:.0%} of the "
                "throughput: allow more."
            )
        rate = self.plan.rate or HALF * max(median(curve.rates(one)) for curve in able for one in self.plan.sizes)
        found, refused = [], []
        for curve in able:
            try:
                workers = workers_for(curve.fit.law, curve.share or 0.0, rate, curve.largest)
            except NotPossible as error:
                refused.append(error)
            else:
                found.append((workers * (1 + curve.concurrency), workers, curve))
        if not found:
            raise refused[0]
        _, workers, curve = min(found, key=lambda one: one[:2])
        return curve, workers, rate

    def _unmeasured(self, workers: int) -> int:
        """Return the number of workers that was not measured and is nearest."""
        free = [one for one in range(1, 2 * self.plan.sizes[-1] + 1) if one not in self.plan.sizes]
        return min(free, key=lambda one: abs(one - workers))

    def _check(self, there: Site, curve: Curve, workers: int, rate: float) -> None:
        unmeasured = self._unmeasured(workers)
        there.resize(unmeasured)
        drainer = self._drainer(there)
        measured = [drainer.measure(self.plan.seconds).rate for _ in range(CHECKS)]
        drainer.close()
        there.resize(workers)
        p95 = self._p95(there, workers, rate / curve.fit.law.at(workers), rate)
        need = memory(
            *(there.stack.fleet, there.host),
            rate=rate,
            outage=self.plan.outage,
            message=curve.message,
            result=curve.result,
            base=curve.base,
        )
        self.outcome.answer = Answer(rate, self.plan.bound, workers, curve.concurrency, need)
        law = curve.fit
        self.outcome.check = Check(
            unmeasured, law.law.at(unmeasured), law.expected(unmeasured), measured, p95, self.plan.tolerance
        )
