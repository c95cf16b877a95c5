"""History → verdict: what was lost, what ran twice, what came late, and after which fault.

Times are compared across machines: a verdict is as exact as their clocks agree.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import accumulate, pairwise

from drill.history import Event, Kind
from drill.verdict import Duplicate, Fault, Latency, Lost, Verdict
from drill.windows import Window, behind_duplicate, behind_loss, windows


def judge(
    history: Iterable[Event],
    *,
    late_after: float | None = None,
    ordered: Collection[str] = (),
    aftermath: float = 0.0,
) -> Verdict:
    """Reduce a history to a verdict. Pure; the order of the events does not matter.

    Judge after the last fault was healed and the queues were drained: what has not finished yet counts as lost.

    Args:
        history: the events of sender, workers and nemesis together.
        late_after: seconds from the intended submit after which a finish is late; None: nothing is.
        ordered: queues (`queue` in the detail of `submitted`) whose order is asked for: those that one consumer
            with a single slot serves.
        aftermath: seconds for which a fault may still do harm after it was healed; the visibility timeout, where
            messages come back by it.

    Raises:
        ValueError: if two faults have one id.
    """
    events = sorted(history, key=lambda event: (event.at, event.line()))
    faults = windows(events)
    every = {kind: [event for event in events if event.kind is kind] for kind in Kind}
    first = {kind: {event.entry: event for event in reversed(every[kind])} for kind in Kind}
    acknowledged, finished = first[Kind.ACKNOWLEDGED], first[Kind.FINISHED]
    # An answer without a `submitted`, too, says that the entry was sent.
    sent = first[Kind.DOUBTFUL] | acknowledged | first[Kind.SUBMITTED]
    ran = first[Kind.STARTED] | first[Kind.FAILED] | finished
    starts: defaultdict[str, list[Event]] = defaultdict(list)
    for event in every[Kind.STARTED]:
        starts[event.entry].append(event)

    overtaking = _Overtaking(sent, finished)
    lost = []
    for entry in sorted(acknowledged.keys() - finished.keys()):
        begun = starts.get(entry)
        seen = begun[-1].at if begun else acknowledged[entry].at
        gone = math.inf if begun else overtaking.first(sent[entry], acknowledged[entry].at)
        lost.append(Lost(entry, bool(begun), behind_loss(faults, seen, gone, aftermath)))
    duplicated = [
        Duplicate(start.entry, start.at, behind_duplicate(faults, before.at, start.at, aftermath))
        for before, start in _unasked(starts, every[Kind.FAILED])
    ]
    intended = {entry: float(event.detail.get("intended", event.at)) for entry, event in sent.items()}
    # An entry on its way: from the intended submit to the first finish.
    ways = {entry: (intended[entry], finished[entry].at) for entry in sent.keys() & finished.keys()}
    doubtful = sorted(sent.keys() - acknowledged.keys())
    late = math.inf if late_after is None else late_after
    blamed = Counter(loss.fault for loss in lost), Counter(double.fault for double in duplicated)
    return Verdict(
        submitted=len(sent),
        acknowledged=len(acknowledged),
        doubtful=tuple(doubtful),
        doubtful_ran=tuple(entry for entry in doubtful if entry in ran),
        started=len(starts),
        failures=len(every[Kind.FAILED]),
        finished=len(finished),
        lost=tuple(lost),
        phantom=tuple(sorted(ran.keys() - sent.keys())),
        duplicated=tuple(duplicated),
        late=tuple(sorted(entry for entry, (begin, end) in ways.items() if end - begin > late)),
        reordered=tuple(sorted(_overtaken(ordered, sent, acknowledged, first[Kind.STARTED]))),
        latency=_latency(ways.values()),
        sender_lag=max((sent[entry].at - time for entry, time in intended.items()), default=0.0),
        faults=tuple(
            _through(fault, sent, finished, ways, lost=blamed[0][fault.id], duplicated=blamed[1][fault.id])
            for fault in faults
        ),
    )


def _unasked(starts: Mapping[str, list[Event]], failures: Iterable[Event]) -> Iterator[tuple[Event, Event]]:
    """Yield the starts that nobody asked for, each behind the start before it.

    The first is asked for, and so is one for each retry: with a `retries` of its own, after a run that failed with
    one less.
    """
    failed = {(event.entry, event.detail.get("retries", 0)) for event in failures}
    for entry, runs in sorted(starts.items()):
        seen = {runs[0].detail.get("retries", 0)}
        for before, start in pairwise(runs):
            retries = start.detail.get("retries", 0)
            if retries in seen or (entry, retries - 1) not in failed:
                yield before, start
            seen.add(retries)


class _Overtaking:
    """When what was sent later ran: a queue is first in, first out, so all before it had been taken by then."""

    def __init__(self, sent: Mapping[str, Event], finished: Mapping[str, Event]) -> None:
        """Sort the entries of each queue by their submit."""
        known: defaultdict[object, list[tuple[float, float]]] = defaultdict(list)
        for entry in sent.keys() & finished.keys():
            known[sent[entry].detail.get("queue")].append((sent[entry].at, finished[entry].at))
        self._times: dict[object, list[float]] = {}
        self._firsts: dict[object, list[float]] = {}  # finish among the entries from a place on
        for queue, ways in known.items():
            ways.sort()
            self._times[queue] = [at for at, _ in ways]
            backwards = accumulate((end for _, end in reversed(ways)), min, initial=math.inf)
            self._firsts[queue] = list(backwards)[::-1]

    def first(self, sent: Event, acknowledged: float) -> float:
        """Return the first finish of what was sent to the same queue after a time, or infinity."""
        queue = sent.detail.get("queue")
        if queue not in self._times:
            return math.inf
        return self._firsts[queue][bisect_left(self._times[queue], acknowledged)]


def _overtaken(
    queues: Collection[str],
    sent: Mapping[str, Event],
    acknowledged: Mapping[str, Event],
    started: Mapping[str, Event],
) -> Iterator[str]:
    """Yield what started after an entry that was submitted to its queue after its own acknowledgement.

    Submits that overlap have no order: several threads publish, and either may arrive first.
    """
    for queue in queues:
        known = [entry for entry in sent if entry in started and sent[entry].detail.get("queue") == queue]
        known.sort(key=lambda entry: sent[entry].at)
        times = [sent[entry].at for entry in known]
        earliest = [math.inf]  # start among the entries from a place on; from the end to the front
        for entry in reversed(known):
            earliest.append(min(earliest[-1], started[entry].at))
        earliest.reverse()
        for entry in known:
            if entry in acknowledged:
                after = bisect_left(times, acknowledged[entry].at)
                if earliest[after] < started[entry].at:
                    yield entry


def _latency(ways: Iterable[tuple[float, float]]) -> Latency:
    """Return the latencies of entries on their way."""
    took = sorted(end - begin for begin, end in ways)
    if not took:
        return Latency()

    def nearest(percent: int) -> float:
        return took[math.ceil(len(took) * percent / 100) - 1]

    return Latency(len(took), nearest(50), nearest(95), nearest(99), took[-1])


def _through(
    fault: Window,
    sent: Mapping[str, Event],
    finished: Mapping[str, Event],
    ways: Mapping[str, tuple[float, float]],
    *,
    lost: int,
    duplicated: int,
) -> Fault:
    """Return what one fault did."""
    finishes = [finished[entry].at for entry in ways if sent[entry].at > fault.began]
    again = min(finishes, default=None)
    # What was published and fetched while the fault began, and so before it was in force, may finish through it.
    healed = math.inf if fault.healed is None else fault.healed
    after_heal = min((at - healed for at in finishes if at >= healed), default=None)
    return Fault(
        id=fault.id,
        name=fault.name,
        began=fault.began,
        healed=fault.healed,
        latency=_latency(way for way in ways.values() if way[0] <= fault.end() and way[1] >= fault.began),
        recovered=None if again is None else again - fault.began,
        recovered_after_heal=after_heal,
        lost=lost,
        duplicated=duplicated,
    )
