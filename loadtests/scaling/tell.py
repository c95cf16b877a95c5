"""What a sweep has found, for people: a table, a sentence, and a page."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import median

from rich.table import Table

from drill.columns import show, table
from loadtests.report import plots
from loadtests.report.lines import Line
from loadtests.report.page import render
from loadtests.scaling.answer import MIB, Memory
from loadtests.scaling.law import Interval
from loadtests.scaling.outcome import Answer, Check, Outcome

PAGE = "scaling.html"


def rates(outcome: Outcome) -> list[tuple[str, ...]]:
    """Return a row per size: concurrency, workers, slots, measured, the law, its interval."""
    rows: list[tuple[str, ...]] = []
    for curve in outcome.curves:
        for workers in sorted({one.workers for one in curve.drains}):
            measured = curve.rates(workers)
            rows.append(
                (
                    str(curve.concurrency),
                    str(workers),
                    str(workers * curve.concurrency),
                    f"{median(measured):,.0f}",
                    ", ".join(f"{one:,.0f}" for one in measured),
                    f"{curve.fit.law.at(workers):,.0f}",
                    _range(curve.fit.expected(workers), ",.0f"),
                )
            )
    return rows


def laws(outcome: Outcome) -> list[tuple[str, ...]]:
    """Return a row per concurrency: the parameters with their intervals, the knee, the peak, the most."""
    return [
        (
            str(curve.concurrency),
            _both(curve.fit.law.rate, curve.fit.interval(lambda law: law.rate), ",.1f"),
            _both(curve.fit.law.contention, curve.fit.interval(lambda law: law.contention), ".3f"),
            _both(curve.fit.law.coherency, curve.fit.interval(lambda law: law.coherency), ".4f"),
            _both(curve.fit.law.knee, curve.fit.interval(lambda law: law.knee), ".1f"),
            _both(curve.fit.law.peak, curve.fit.interval(lambda law: law.peak), ".1f"),
            _both(curve.fit.law.most, curve.fit.interval(lambda law: law.most), ",.0f"),
        )
        for curve in outcome.curves
    ]


def latencies(outcome: Outcome) -> list[tuple[str, ...]]:
    """Return a row per run of the generator: concurrency, workers, share, rate, p50, p95."""
    return [
        (
            *(str(curve.concurrency), str(one.workers), f"{one.share:.0%}", f"{one.rate:,.0f}"),
            *(f"{one.p50:.3f} s", f"{one.p95:.3f} s"),
        )
        for curve in outcome.curves
        for one in curve.latencies
    ]


RATES = ("concurrency", "workers", "slots", "tasks/s", "each", "law", "expected")
LAWS = ("concurrency", "rate of one", "contention", "coherency", "knee", "peak at", "most")
LATENCIES = ("concurrency", "workers", "of the throughput", "tasks/s", "p50", "p95")


def answer(found: Answer) -> str:
    """Return the answer in a sentence."""
    needs = "; ".join(f"{_mib(one.maxmemory)} for {one.instance}" for one in found.memory) or "a managed Redis"
    return (
        f"for {found.rate:,.0f} tasks/s at p95 ≤ {found.bound:g} s: {found.workers} workers with {found.concurrency} "
        f"slots each, {needs}"
    )


def memory(one: Memory, outage: str) -> str:
    """Return what the memory of an instance consists of, in a sentence."""
    text = (
        f"{one.instance}: maxmemory {_mib(one.maxmemory)} = {_mib(one.waiting)} of messages ({outage} s of arrivals) + "
        f"{_mib(one.kept)} of results (until they expire) + {_mib(one.base)} when empty; {_mib(one.host)} of the host's, "
        "with room for a fork"
    )
    return text if one.enough else f"{text}; the settings say {_mib(one.said)}, which is too little"


def check(found: Check, wanted: Answer) -> list[str]:
    """Return what the check has shown, in sentences."""
    return [
        f"{'holds' if found.holds else 'FAILS'}: {found.workers} workers, which were not measured before, should carry "
        f"{found.predicted:,.0f} tasks/s ({_range(found.expected, ',.0f')}) and carry {median(found.measured):,.0f}: "
        f"{abs(found.error):.1%} off, {found.tolerance:.0%} allowed",
        f"{'holds' if found.p95 <= wanted.bound else 'FAILS'}: {wanted.workers} workers at {wanted.rate:,.0f} tasks/s have "
        f"a p95 of {found.p95:.3f} s, {wanted.bound:g} s allowed",
    ]


def sentences(outcome: Outcome, outage: str) -> list[str]:
    """Return what stands below the tables."""
    noise = [
        f"not steady: {size} workers with {curve.concurrency} slots each carried {min(curve.rates(size)):,.0f} to "
        f"{max(curve.rates(size)):,.0f} tasks/s; something else took the cores meanwhile: measure on a quiet machine"
        for curve in outcome.curves
        for size in curve.unsteady
    ]
    if not outcome.answer or not outcome.check:
        return [*noise, f"no answer: {outcome.refusal}"]
    needs = [memory(one, outage) for one in outcome.answer.memory]
    return [*noise, answer(outcome.answer), *needs, *check(outcome.check, outcome.answer)]


def tell(outcome: Outcome, outage: str) -> None:
    """Print it."""
    shapes = []
    for columns, rows in ((RATES, rates(outcome)), (LAWS, laws(outcome)), (LATENCIES, latencies(outcome))):
        shape: Table = table(*(f">{column}" for column in columns))
        for row in rows:
            shape.add_row(*row)
        shapes.append(shape)
    show(*shapes)
    for sentence in sentences(outcome, outage):
        print(sentence)


def write_page(outcome: Outcome, folder: Path, outage: str) -> Path:
    """Write the page, and return it."""
    tables = [
        ("Throughput of a full queue", RATES, rates(outcome)),
        ("The Universal Scalability Law, with intervals of 95 %", LAWS, laws(outcome)),
        ("Latency", LATENCIES, latencies(outcome)),
    ]
    figures = [_throughput(outcome), *([_latency(outcome)] if any(one.latencies for one in outcome.curves) else [])]
    values = {"outcome": outcome, "tables": tables, "sentences": sentences(outcome, outage), "plots": figures}
    return render("scaling.html.j2", folder / PAGE, **values)


def _throughput(outcome: Outcome) -> tuple[str, str]:
    """Draw what was measured, the law through it, and where a measurement is expected."""
    title = "Throughput over workers"
    with plots.plot("plot-throughput", "worker processes", "tasks per second") as made:
        for curve, colour in zip(outcome.curves, _colours(outcome), strict=True):
            name = f"{curve.concurrency} slots each"
            count = [1 + (1.3 * curve.largest - 1) * step / 60 for step in range(61)]
            made.axes.plot(count, [curve.fit.law.at(one) for one in count], color=colour, label=f"{name}: the law")
            bounds = [curve.fit.expected(one) for one in count[::5]]
            low, high = [one for one, _ in bounds], [one for _, one in bounds]
            made.axes.fill_between(count[::5], low, high, color=colour, alpha=0.15, linewidth=0)
            points = [one.workers for one in curve.drains], [one.rate for one in curve.drains]
            made.axes.plot(*points, "o", color=colour, markersize=4, label=f"{name}: measured")
        if outcome.check:
            again = [outcome.check.workers] * len(outcome.check.measured)
            made.axes.plot(again, outcome.check.measured, "x", color=plots.BOUND, label="measured to check it")
        made.axes.set_ylim(bottom=0)
    return title, made.svg


def _latency(outcome: Outcome) -> tuple[str, str]:
    """Draw the p95 over the share of the throughput."""
    with plots.plot("plot-latency", "% of the throughput", "p95 in ms") as made:
        lines = [
            Line(
                f"{workers} workers, {curve.concurrency} slots each",
                [100 * one.share for one in curve.latencies if one.workers == workers],
                [1000 * one.p95 for one in curve.latencies if one.workers == workers],
            )
            for curve in outcome.curves
            for workers in sorted({one.workers for one in curve.latencies})
        ]
        plots.curves(made.axes, lines)
        if outcome.answer:
            plots.bound(made.axes, 1000 * outcome.answer.bound, "allowed")
        made.axes.set_ylim(bottom=0)
    return "Latency over load", made.svg


def _colours(outcome: Outcome) -> list[str]:
    return [plots.COLOURS[number % len(plots.COLOURS)] for number in range(len(outcome.curves))]


def _both(value: float, interval: Interval, form: str) -> str:
    return f"{_figure(value, form)} ({_range(interval, form)})"


def _range(interval: Interval, form: str) -> str:
    return " to ".join(_figure(one, form) for one in interval)


def _figure(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "none"


def _mib(size: int) -> str:
    return f"{size / MIB:,.1f} MiB" if size % MIB else f"{size // MIB:,} MiB"
