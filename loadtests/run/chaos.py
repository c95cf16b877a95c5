"""Faults of drill/ while load runs: spread over what is measured, drawn by the seed of the workload, healed at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from redis import RedisError

from drill.faults import FAULTS
from drill.history import History, Kind
from drill.nemesis import inflict
from drill.schedule import Planned, schedule
from drill.targets.target import Target
from engine.errors import NotPossible
from loadtests.record import Happened, Verdict
from loadtests.schedule import schedule_of
from settings.model.load import LoadProfile
from settings.names import nearest

SETTLE = 60.0  # seconds in which everything has to be well again


def known(profile: LoadProfile) -> None:
    """Refuse faults that there are not.

    Raises:
        NotPossible: naming the first.
    """
    for name in profile.faults:
        if name not in FAULTS:
            near = nearest(name, FAULTS)
            fix = f"write {near}" if near else f"choose of {', '.join(FAULTS)}"
            raise NotPossible(f"{profile.name}: there is no fault {name!r}: {fix}.")


def plan(profile: LoadProfile, target: Target) -> list[Planned]:
    """Return what happens when, from time 0 of the schedule: evenly spread over what is measured.

    Raises:
        NotPossible: if the target cannot be hurt so.
    """
    known(profile)
    faults = [FAULTS[name] for name in profile.faults]
    for fault in faults:
        if not fault.needs <= target.abilities:
            raise NotPossible(
                f"{profile.name}: the fault {fault.name} cannot be done here, it needs {', '.join(sorted(fault.needs))}: "
                "leave it out, or run it where that is."
            )
    if not faults:
        return []
    each = (schedule_of(profile).seconds - profile.warm_up) / len(faults)
    drawn = schedule(profile.seed, faults, target.redises, target.workers, count=len(faults), every=1.0)
    return [replace(one, at=profile.warm_up + each * (one.number - 0.5)) for one in drawn]


class Chaos:
    """Lets a plan happen, in a thread of its own."""

    def __init__(self, target: Target | None, planned: Sequence[Planned], tell: Callable[[str], object]) -> None:
        """Nothing happens yet.

        Args:
            target: is hurt; None only where nothing is planned.
            planned: in the order of time.
            tell: is told of each fault as it happens.
        """
        self._target = target
        self._planned = planned
        self._tell = tell
        self._history = History()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._problem = ""

    def begin(self, at: float) -> None:
        """Begin, once it is known when the run did: seconds since the epoch."""
        if self._target is None or not self._planned or self._thread or self._over.is_set():
            return
        self._thread = threading.Thread(target=self._run, args=(self._target, at), name="chaos")
        self._thread.start()

    def _run(self, target: Target, began: float) -> None:
        try:
            for planned in self._planned:
                if self._over.wait(max(0.0, began + planned.at - time.time())):
                    return
                target.await_whole(SETTLE)
                inflict(target, planned, self._history, self._tell, self._over.wait)
        except (NotPossible, RedisError) as error:
            self._problem = str(error)

    def check(self) -> None:
        """See whether all went as planned.

        Raises:
            NotPossible: if a fault could not be done or healed.
        """
        if self._problem:
            raise NotPossible(f"a fault could not be done or healed: {self._problem}")

    def end(self) -> None:
        """Heal what is hurt.

        Raises:
            NotPossible: naming what cannot be.
        """
        self._over.set()
        if self._target is None or self._thread is None:
            return
        try:
            self._thread.join()
        finally:  # whoever does not want to wait: nothing stays hurt
            self._target.mend()

    def settle(self) -> None:
        """Wait until what was hurt is well.

        Raises:
            NotPossible: naming what does not come back by itself: it needs a person.
        """
        if self._target is None or self._thread is None:
            return
        self._target.await_whole(SETTLE)
        self._target.await_workers(SETTLE)

    @property
    def missed(self) -> list[str]:
        """Faults that did not happen, as others took longer than there was time."""
        happened = sum(event.kind is Kind.FAULT for event in self._history)
        return [planned.fault.name for planned in self._planned[happened:]]

    @property
    def verdicts(self) -> list[Verdict]:
        """Whether all that was planned happened, if anything was: what was never hurt has proven nothing."""
        if not self._planned:
            return []
        planned, missed = len(self._planned), self.missed
        note = f"no time was left for {', '.join(missed)}" if missed else ""
        done = planned - len(missed)
        return [
            Verdict(f"happened at least {planned} faults", "happened", None, planned, done, not missed, "faults", note)
        ]

    def happened(self, began: float) -> list[Happened]:
        """Return what happened, with times since the run began."""
        healed = {event.entry: event.at for event in self._history if event.kind is Kind.HEALED}
        return [
            Happened(
                event.at - began,
                healed.get(event.entry, time.time()) - began,
                str(event.detail["name"]),
                str(event.detail["service"]),
            )
            for event in self._history
            if event.kind is Kind.FAULT
        ]
