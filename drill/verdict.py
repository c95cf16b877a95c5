"""What a history comes to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lost:
    """An entry that the broker acknowledged and no worker finished.

    Attributes:
        entry: its id.
        started: whether a worker began it, so that it was lost in a worker and not on the way to one.
        fault: the id of the fault that it is laid to (checker.py says how), or None.
    """

    entry: str
    started: bool
    fault: str | None


@dataclass(frozen=True)
class Duplicate:
    """A start that nobody asked for: the entry had started before, and no failed run asked for another.

    Attributes:
        entry: its id.
        at: of this start, seconds since the epoch.
        fault: the id of the fault that it is laid to (checker.py says how), or None.
    """

    entry: str
    at: float
    fault: str | None


@dataclass(frozen=True)
class Latency:
    """Seconds from the intended submit to the first finish, over the entries that finished; 0 where none did.

    Percentiles are nearest ranks: each is the latency of an entry.
    """

    count: int = 0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0


@dataclass(frozen=True)
class Fault:
    """What one fault did.

    Attributes:
        id: the entry of its events.
        name: what kind of fault it was; the id where its event did not say.
        began: when it was in force, seconds since the epoch.
        healed: when nothing was left of it, or None.
        latency: of the entries that were on their way while it was in force.
        recovered: seconds from its begin to the first finish of an entry submitted after that; None if there is none.
        recovered_after_heal: seconds from its heal to the first finish after that of such an entry; None if there is none.
        lost: entries laid to it.
        duplicated: starts laid to it.
    """

    id: str
    name: str
    began: float
    healed: float | None
    latency: Latency
    recovered: float | None
    recovered_after_heal: float | None
    lost: int
    duplicated: int


@dataclass(frozen=True)
class Verdict:
    """What became of the entries of a run. Everything is counted by entry, but duplicates by start.

    Attributes:
        submitted: entries that the sender told of.
        acknowledged: of these, the ones that the broker accepted.
        doubtful: submitted and not acknowledged: the publish raised or never returned. Neither lost nor phantom.
        doubtful_ran: of these, the ones that ran all the same.
        started: entries that a worker began.
        failures: runs that failed, retried or not.
        finished: entries that a worker finished.
        lost: acknowledged and never finished.
        phantom: ran, and were never submitted.
        duplicated: starts that nobody asked for.
        late: finished later than they may, counted from the intended submit.
        reordered: started after an entry that was submitted to the same queue after their acknowledgement.
        latency: over all.
        sender_lag: seconds by which the sender was behind its schedule at worst: above the latencies that are
            looked at, the run says more about the sender than about the system.
        faults: in the order of their begin.
    """

    submitted: int
    acknowledged: int
    doubtful: tuple[str, ...]
    doubtful_ran: tuple[str, ...]
    started: int
    failures: int
    finished: int
    lost: tuple[Lost, ...]
    phantom: tuple[str, ...]
    duplicated: tuple[Duplicate, ...]
    late: tuple[str, ...]
    reordered: tuple[str, ...]
    latency: Latency
    sender_lag: float
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        """One line for a message."""
        parts = [
            f"{self.submitted} submitted",
            f"{self.acknowledged} acknowledged",
            f"{len(self.doubtful)} in doubt ({len(self.doubtful_ran)} ran)",
            f"{len(self.lost)} lost",
            f"{len(self.duplicated)} duplicated",
            f"{len(self.phantom)} phantom",
        ]
        return ", ".join(parts)
