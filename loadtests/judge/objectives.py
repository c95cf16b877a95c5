"""What became of objectives: after a run, and while it lasts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from loadtests.judge.measures import BYTES, MEASURES, NOTHING, Measured, Run
from loadtests.record import Record, Sample, Verdict
from settings.model.load import LoadSlo

LATER = "known at the end"


def judge(record: Record, slos: Sequence[LoadSlo]) -> list[Verdict]:
    """Judge a run by its objectives, in their order. What could not be measured is not kept.

    Raises:
        ValueError: if an objective has no bound, or two; the rule slo-bound refuses such an inventory.
    """
    run = Run(record)
    return [_verdict(slo, run.measured(slo.measure, slo.task)) for slo in slos]


def so_far(
    slos: Sequence[LoadSlo], live: Mapping[str, float], samples: Sequence[Sample] = (), maxmemory: int = 0
) -> list[Verdict]:
    """Tell how objectives stand while a run lasts, in their order. What is not known yet has no value, and is kept.

    Args:
        slos: the objectives.
        live: what `generate` tells its watcher: percentiles and rate are of the last seconds, counts of the whole run.
        samples: what was seen of the deployment.
        maxmemory: of Redis, in bytes; 0 is no limit.
    """
    return [_verdict(slo, _live(slo, live, samples, maxmemory), running=True) for slo in slos]


def _live(slo: LoadSlo, live: Mapping[str, float], samples: Sequence[Sample], maxmemory: int) -> Measured:
    ended, failed = live.get("ended", 0), live.get("failed", 0)
    memory = max((sample.redis_memory for sample in samples), default=0)
    if slo.task is not None or not ended + failed:
        known: float | None = None
    elif slo.measure in ("end_to_end_p50", "end_to_end_p95"):
        known = live[slo.measure.removeprefix("end_to_end_")] / 1000 or None  # 0 is: nothing ended of late
    elif slo.measure == "error_rate":
        known = failed / (ended + failed)
    elif slo.measure == "lost":
        known = live["lost"]
    elif slo.measure == "throughput":
        known = live["rate"]
    elif slo.measure == "redis_memory":
        known = memory or None
    elif slo.measure == "redis_memory_share":
        known = memory / maxmemory if memory and maxmemory else None
    elif slo.measure == "worker_memory":
        known = max((size for sample in samples for size in sample.workers.values()), default=0) or None
    else:
        known = None
    return Measured(known, LATER if known is None else "")


def _verdict(slo: LoadSlo, found: Measured, *, running: bool = False) -> Verdict:
    unit = MEASURES[slo.measure].unit
    bound = slo.at_least if slo.at_most is None else slo.at_most
    if bound is None or (slo.at_least is not None and slo.at_most is not None):
        raise ValueError(f"{slo.measure}: an objective has either at_most or at_least")
    value, kept = found.value, running
    if value is not None:
        kept = value >= bound if slo.at_most is None else value <= bound
    # JSON has no infinity
    known = value if value is not None and math.isfinite(value) else None
    note = found.note or ("" if known is not None else NOTHING)
    return Verdict(in_words(slo), slo.measure, slo.task, bound, known, kept, unit, note)


def in_words(slo: LoadSlo) -> str:
    """Return an objective in words, with its bound."""
    way, bound = ("at least", slo.at_least) if slo.at_most is None else ("at most", slo.at_most)
    task = f" of {slo.task}" if slo.task else ""
    return f"{slo.measure}{task} {way} {amount(bound or 0, MEASURES[slo.measure].unit)}"


def amount(value: float | None, unit: str) -> str:
    """Return a value with its unit, for people."""
    if value is None:
        return "-"
    if unit == BYTES:
        return f"{value / 1024**2:.4g} MiB"
    return f"{value:.4g}" if unit == "share" else f"{value:.4g} {unit}"
