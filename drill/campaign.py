"""A drill from its begin to its verdict: send, hurt, heal, drain, judge."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis import RedisError

from drill import nemesis
from drill.checker import judge
from drill.history import Event, History, Kind
from drill.nemesis import Tell, haunt
from drill.schedule import Planned
from drill.sender import Sender
from drill.targets.target import Target
from drill.verdict import Fault as Felt
from drill.verdict import Verdict
from engine.errors import NotPossible
from engine.waiting import await_truth

THREADS = 8  # of the sender: a publish that waits for a dead Redis holds up its own only
CALM = 5.0  # seconds of ordinary work behind the last fault: what it spoiled shows
SETTLE = 60.0  # seconds in which everything has to be well again


@dataclass(frozen=True)
class Outcome:
    """What one fault came to."""

    planned: Planned
    felt: Felt
    gap: int  # tasks that may be lost between fetching a message and writing it down
    unwritten: int  # tasks that may be lost as no disk or replica has them yet
    within: float  # seconds from the heal until tasks have to be consumed again

    @property
    def may_lose(self) -> int:
        """Tasks that it may lose."""
        return self.gap + self.unwritten

    @property
    def complaints(self) -> tuple[str, ...]:
        """What it did and may not."""
        lost, after = self.felt.lost, self.felt.recovered_after_heal
        found = [f"lost {lost}, may lose {self.may_lose}"] if lost > self.may_lose else []
        if after is None:
            found.append("never consumed again")
        elif after > self.within:
            found.append(f"consumed again after {after:.1f} s, may take {self.within:g} s")
        return tuple(found)

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


def drill(target: Target, plan: Sequence[Planned], history: History, *, rate: float, tell: Tell = print) -> Result:
    """Hurt a target while tasks arrive at a steady rate, and judge.

    Args:
        target: that is hurt.
        plan: what happens.
        history: takes everything.
        rate: tasks per second.
        tell: is told of each fault as it happens.
    """
    sender = Sender(target.publish, rate, history, threads=THREADS)

    def ready() -> None:
        target.await_whole(SETTLE)
        healed = max((event.at for event in history if event.kind is Kind.HEALED), default=0.0)
        with contextlib.suppress(NotPossible):  # the verdict says so
            await_truth("a task that is sent now", lambda: _consumed(target, history, sender.prefix, healed), SETTLE)

    sender.start()
    try:
        ready()
        needs = _needs(haunt, target, plan, history, ready, tell) + _needs(_settle, target)
        time.sleep(CALM)
    finally:
        with contextlib.suppress(TimeoutError):  # what hangs has no acknowledgement, and so is in doubt
            sender.stop()
    tell(f"     all healed; up to {target.patience:g} s for what comes back by the visibility timeout")
    _drain(target, history, sender.prefix, target.patience)
    return result(target, plan, history, rate=rate, needs=needs)


def result(
    target: Target, plan: Sequence[Planned], history: Iterable[Event], *, rate: float, needs: Iterable[str] = ()
) -> Result:
    """Judge what has happened, beside what may.

    Args:
        target: that was hurt; what it may lose depends on how it is made.
        plan: what was meant to happen; what did not is not judged.
        history: everything.
        rate: tasks per second.
        needs: what a person has to see to.
    """
    history = list(history)
    verdict = judge(history, aftermath=target.patience)
    felt = {fault.id: fault for fault in verdict.faults}
    happened = {event.entry: event for event in history if event.kind is Kind.FAULT}
    outcomes = tuple(
        _outcome(target, planned, felt[id_], rate, master=bool(happened[id_].detail.get("master")))
        for planned in plan
        if (id_ := nemesis.entry(planned)) in happened
    )
    return Result(outcomes, verdict, (*needs, *_unexplained(verdict), *_often(outcomes)))


def _outcome(target: Target, planned: Planned, felt: Felt, rate: float, *, master: bool) -> Outcome:
    """Return what a fault did beside what it may do.

    Args:
        target: that was hurt.
        planned: the fault.
        felt: what it did.
        rate: tasks per second.
        master: whether it happened to the Redis that took writes.
    """
    fault = planned.fault
    reached = 1 if fault.where == "worker" else len(target.workers) if master else 0  # nobody listens to a replica
    gap = fault.loses * reached if target.transport == "redis" else 0
    failover = target.failover if master else None
    window = max(fault.window, failover.window if failover else 0.0)
    within = fault.within + (failover.seconds if failover else 0.0)
    return Outcome(planned, felt, gap, round(window * rate), within)


def _unexplained(verdict: Verdict) -> list[str]:
    """Return what no fault explains."""
    lost = [loss.entry for loss in verdict.lost if loss.fault is None]
    twice = [double.entry for double in verdict.duplicated if double.fault is None]
    kinds = {"lost without a fault": lost, "twice without a fault": twice, "never submitted": list(verdict.phantom)}
    return [f"{len(entries)} {kind}: {', '.join(entries[:3])}" for kind, entries in kinds.items() if entries]


def _often(outcomes: Sequence[Outcome]) -> list[str]:
    """Return kinds of faults that lose more than one task each on average, besides what no disk or replica has yet."""
    by_name: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if not outcome.unwritten:
            by_name[outcome.planned.fault.name].append(outcome)
    losses = {name: sum(outcome.felt.lost for outcome in of) / len(of) for name, of in by_name.items()}
    return [f"{name} loses {mean:.1f} tasks each, more than one" for name, mean in losses.items() if mean > 1]


def _needs(do: Callable[..., object], *words: Any) -> list[str]:
    """Do something; return what a person has to see to, if it does not work."""
    try:
        do(*words)
    except (NotPossible, RedisError) as error:
        return [f"needs a person: {error}"]
    return []


def _settle(target: Target) -> None:
    target.mend()
    target.await_whole(SETTLE)
    target.await_workers(SETTLE)


def _finished(target: Target, history: History, prefix: str) -> set[str]:
    """Take over what the workers say of our entries, and return those that have finished."""
    history.merge(event for event in target.events() if event.entry.startswith(prefix))
    return {event.entry for event in history if event.kind is Kind.FINISHED}


def _consumed(target: Target, history: History, prefix: str, since: float) -> bool:
    """Return whether an entry has run that was submitted after a time, seconds since the epoch."""
    finished = _finished(target, history, prefix)
    return any(event.kind is Kind.SUBMITTED and event.at > since and event.entry in finished for event in history)


def _drain(target: Target, history: History, prefix: str, seconds: float) -> None:
    """Wait until all has run that was accepted, for so long at most: what is lost never comes."""
    accepted = {event.entry for event in history if event.kind is Kind.ACKNOWLEDGED}
    with contextlib.suppress(NotPossible):
        await_truth("the end of every task", lambda: accepted <= _finished(target, history, prefix), seconds)
