"""One run of a workload: generate, watch, hurt, heal, drain, judge."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.figures import Figures
from loadtests.judge.objectives import judge, so_far
from loadtests.record import Record
from loadtests.run.broker import Broker
from loadtests.run.chaos import Chaos, plan
from loadtests.run.distributed import generate_on_hosts, target_of_hosts
from loadtests.run.generate import Live, generate
from loadtests.run.places.place import Place
from loadtests.run.progress import Telling
from loadtests.run.watch import Watcher
from loadtests.schedule import schedule_of
from settings.model.load import LoadProfile, LoadSlo

AFTER = 5.0  # seconds beyond the last deadline in which everything has to be done
WINDOW = 5.0  # seconds that the generator's live figures are of: loadtests/generator/series.py
LOOK = 0.25  # seconds between two looks at what drains


@dataclass(frozen=True)
class Asked:
    """What is run."""

    place: Place
    profile: LoadProfile
    slos: Sequence[LoadSlo]
    generators: int
    command: str

    @property
    def demanded(self) -> set[tuple[str, str | None]]:
        """Measures, and of which tasks, that have an objective."""
        return {(slo.measure, slo.task) for slo in self.slos}

    @property
    def patience(self) -> float:
        """Seconds after the last arrival in which nothing may wait any more, or it never does."""
        limits = [kind.limit + kind.countdown for kind in self.profile.tasks]
        bounds = [slo.at_most for slo in self.slos if slo.measure == "drained_within" and slo.at_most]
        return max(*limits, *bounds, 0.0) + AFTER


def run_once(asked: Asked, folder: Path, telling: Telling) -> Record:
    """Run a workload to its end and judge it; a run whose generator was too slow is not judged.

    Args:
        asked: what is run.
        folder: where Locust's report, log and figures go.
        telling: is told how it stands.

    Raises:
        NotPossible: if it cannot be done; what was hurt is healed.
    """
    place, profile = asked.place, asked.profile
    total = schedule_of(profile).seconds
    planned = plan(profile, place.hurtable) if place.hurtable else []
    chaos = Chaos(place.hurtable, planned, telling.say)
    broker = Broker(place.fleet, place.host)
    with Watcher(broker, place.sizes) as watcher:

        def watch(live: Mapping[str, float]) -> None:
            chaos.check()
            if not (began := live["began"]):
                return
            watcher.last_arrival = began + total
            chaos.begin(began)
            # the generator tells of the last seconds, in which it must have been warm
            warm = live["second"] >= profile.warm_up + WINDOW
            verdicts = so_far(asked.slos, live, watcher.seen, watcher.maxmemory) if warm else []
            telling.tell(live, total, watcher.seen[-1] if watcher.seen else None, verdicts)

        try:
            figures = _generate(asked, folder, watch, telling.say)
        finally:
            chaos.end()
        chaos.settle()
        chaos.check()
        watcher.last_arrival = figures.began + total
        _drain(watcher, watcher.last_arrival + asked.patience)
        emptied = watcher.emptied
    broker.close()
    return _judged(asked, figures, watcher, chaos, emptied, total)


def _generate(asked: Asked, folder: Path, watch: Callable[[Live], None], warn: Callable[[str], None]) -> Figures:
    """Send from the hosts that are there for it, else from this machine."""
    place, profile = asked.place, asked.profile
    if place.inventory is None:
        return generate(place.target, profile, folder, processes=asked.generators, watch=watch)
    target = target_of_hosts(place.fleet, place.host)
    return generate_on_hosts(place.fleet, place.inventory, target, profile, folder, watch=watch, warn=warn)


def _drain(watcher: Watcher, until: float) -> None:
    while not watcher.drained.wait(LOOK) and time.time() < until:
        pass


def _judged(
    asked: Asked, figures: Figures, watcher: Watcher, chaos: Chaos, emptied: float | None, total: float
) -> Record:
    began = figures.began
    record = Record(
        inventory=asked.place.env,
        profile=asked.profile,
        command=asked.command,
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        figures=figures,
        samples=watcher.samples(began),
        faults=chaos.happened(began),
        redis_maxmemory=watcher.maxmemory,
        drained=None if emptied is None else max(0.0, emptied - began - total),
    )
    if not figures.complaint:
        record.verdicts = [*judge(record, asked.slos), *chaos.verdicts]
    return record
