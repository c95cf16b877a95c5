"""A drill from its begin to its verdict: send, hurt, heal, drain, judge."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from drill import nemesis
from drill.checker import judge
from drill.history import History, Kind
from drill.nemesis import Tell, haunt
from drill.schedule import Planned
from drill.sender import Sender
from drill.targets.target import Target
from drill.verdict import Fault as Felt
from drill.verdict import Verdict
from engine.errors import NotPossible
from engine.waiting import await_truth

THREADS = 8  # of the sender: a publish that waits for a dead Redis holds up its own only
FIRST = 30.0  # seconds until the first tasks have run
CALM = 5.0  # seconds of ordinary work behind the last fault: what it spoiled shows
SETTLE = 60.0  # seconds in which everything has to be well again


@dataclass(frozen=True)
class Outcome:
    """What one fault came to."""

    planned: Planned
    felt: Felt
    may_lose: int
    complaints: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Whether it did what it may, and no more."""
        return not self.complaints


@dataclass(frozen=True)
class Result:
    """What a drill came to."""

    outcomes: tuple[Outcome, ...]
    verdict: Verdict
    complaints: tuple[str, ...]  # that no single fault explains

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.complaints and all(outcome.kept for outcome in self.outcomes)


def drill(
    target: Target, plan: Sequence[Planned], history: History, *, rate: float, patience: float, tell: Tell = print
) -> Result:
    """Hurt a target while tasks arrive at a steady rate, and judge.

    Args:
        target: that is hurt.
        plan: what happens.
        history: takes everything.
        rate: tasks per second.
        patience: seconds that the last task may take after everything is healed: above the visibility timeout.
        tell: is told of each fault as it happens.
    """
    sender = Sender(target.publish, rate, history, threads=THREADS)
    sender.start()
    try:
        _await_finished(target, history, int(rate), FIRST)
        haunt(target, plan, history, tell)
        needs = _settle(target)
        time.sleep(CALM)
    finally:
        with contextlib.suppress(TimeoutError):  # what hangs has no acknowledgement, and so is in doubt
            sender.stop()
    _drain(target, history, patience)
    verdict = judge(history, aftermath=patience)
    felt = {fault.id: fault for fault in verdict.faults}
    outcomes = tuple(_outcome(target, planned, felt[nemesis.entry(planned)], rate) for planned in plan)
    return Result(outcomes, verdict, (*needs, *_unexplained(verdict), *_often(outcomes)))


def _outcome(target: Target, planned: Planned, felt: Felt, rate: float) -> Outcome:
    fault = planned.fault
    reached = len(target.workers) if fault.where == "redis" else 1
    gap = fault.loses * reached if target.transport == "redis" else 0
    may_lose = gap + round(fault.window * rate)
    complaints = [f"lost {felt.lost}, may lose {may_lose}"] if felt.lost > may_lose else []
    after = felt.recovered_after_heal
    if after is None or after > fault.within:
        complaints.append(
            f"consumed again after {'for ever' if after is None else f'{after:.1f} s'}: {fault.within:g} s"
        )
    return Outcome(planned, felt, may_lose, tuple(complaints))


def _unexplained(verdict: Verdict) -> list[str]:
    """Return what no fault explains."""
    lost = [loss.entry for loss in verdict.lost if loss.fault is None]
    twice = [double.entry for double in verdict.duplicated if double.fault is None]
    kinds = {"lost without a fault": lost, "twice without a fault": twice, "never submitted": list(verdict.phantom)}
    return [f"{len(entries)} {kind}: {', '.join(entries[:3])}" for kind, entries in kinds.items() if entries]


def _often(outcomes: Sequence[Outcome]) -> list[str]:
    """Return kinds of faults that lose more than one task each on average, besides what a disk has not got yet."""
    by_name: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if not outcome.planned.fault.window:
            by_name[outcome.planned.fault.name].append(outcome)
    losses = {name: sum(outcome.felt.lost for outcome in of) / len(of) for name, of in by_name.items()}
    return [f"{name} loses {mean:.1f} tasks each, more than one" for name, mean in losses.items() if mean > 1]


def _settle(target: Target) -> list[str]:
    try:
        target.settle(SETTLE)
    except NotPossible as error:
        return [f"needs a person: {error}"]
    return []


def _finished(target: Target, history: History) -> set[str]:
    history.merge(target.events())
    return {event.entry for event in history if event.kind is Kind.FINISHED}


def _await_finished(target: Target, history: History, count: int, seconds: float) -> None:
    await_truth(f"{count} finished tasks", lambda: len(_finished(target, history)) >= count, seconds)


def _drain(target: Target, history: History, seconds: float) -> None:
    """Wait until all has run that was accepted, for so long at most: what is lost never comes."""
    accepted = {event.entry for event in history if event.kind is Kind.ACKNOWLEDGED}
    with contextlib.suppress(NotPossible):
        await_truth("the end of every task", lambda: accepted <= _finished(target, history), seconds)
