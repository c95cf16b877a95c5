"""What a task leaves in Locust's statistics: a row each for publish, queue wait, run time, end-to-end.

End-to-end is an event of Locust, so that every plug-in sees each task once and "Aggregated" counts tasks. Its parts go to
their rows only: an event costs 9 µs, and parts do not add up to a sum of requests. They gather first, and are entered
together, as a master enters what its workers report: one by one Locust's books cost 2 µs each.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import Any

from locust import stats
from locust.env import Environment

from loadtests.figures import PUBLISH, RUN, WAIT, WHOLE
from loadtests.generator.call import EPOCH, Call, Failed
from loadtests.generator.series import series_of


class Rows:
    """Writes to the statistics of one environment."""

    def __init__(self, environment: Environment) -> None:
        """Write to the environment's statistics as they are at the time: Locust may replace them."""
        self._environment = environment
        self._series = series_of(environment)
        # name and kind → milliseconds → how often
        self._gathered: defaultdict[tuple[str, str], Counter[float]] = defaultdict(Counter)
        environment.events.test_stop.add_listener(self.enter)

    def part(self, kind: str, call: Call, seconds: float) -> None:
        """Gather a part of a task."""
        self._gathered[call.name, kind][self._series.took(kind, call.name, call.due, seconds)] += 1

    def enter(self, **_: Any) -> None:
        """Enter what has gathered. To be called again and again."""
        gathered, self._gathered = self._gathered, defaultdict(Counter)
        for (name, kind), times in gathered.items():
            entry = stats.StatsEntry(self._environment.stats, name, kind)
            entry.num_requests = times.total()
            entry.last_request_timestamp = time.time()
            entry.num_reqs_per_sec[int(entry.last_request_timestamp)] = entry.num_requests
            entry.min_response_time, entry.max_response_time = min(times), max(times)
            for milliseconds, count in times.items():
                entry.total_response_time += milliseconds * count
                entry.response_times[stats.bucket_response_time(milliseconds)] += count
            self._environment.stats.entries[name, kind].extend(entry)

    def published(self, call: Call, error: Failed | None, now: float) -> None:
        """Enter how long a publish took; the end of the task, where it has no other."""
        if call.kept:
            self.part(PUBLISH, call, now - call.added)
            if error is not None:
                self._environment.stats.entries[call.name, PUBLISH].log_error(error)
        else:
            self._event(PUBLISH, call, now - call.added, 0, error)
        if error is not None and call.kept:
            self._event(WHOLE, call, now - call.due, 0, error)

    def ended(self, call: Call, meta: dict[str, Any], now: float, size: int) -> None:
        """Enter a task that has a result.

        A result that carries `started_at` and `finished_at` (seconds since the epoch) tells its run time by the clock of
        its worker; else STARTED, where it is tracked, tells when the run began, by our own. Queue wait prefers STARTED:
        it compares no two clocks.
        """
        if call.parts:
            self._parts(call, meta["result"], now)
        self._event(WHOLE, call, now - call.due, size, call.error)

    def lost(self, call: Call, now: float) -> None:
        """Enter a task that has no result in time."""
        self._event(WHOLE, call, now - call.due, 0, call.error)

    def _parts(self, call: Call, result: Any, now: float) -> None:
        ready = max(call.sent, call.due)
        told = result if isinstance(result, dict) else {}
        began, finished = told.get("started_at"), told.get("finished_at")
        if call.started:
            self.part(WAIT, call, max(0.0, call.started - ready))
        elif isinstance(began, float):
            self.part(WAIT, call, max(0.0, began - EPOCH - ready))
        if isinstance(began, float) and isinstance(finished, float):
            self.part(RUN, call, finished - began)
        elif call.restarted:
            self.part(RUN, call, now - call.restarted)

    def _event(self, kind: str, call: Call, seconds: float, size: int, error: Failed | None) -> None:
        if error is not None:
            self._series.failed(call.name, call.due, str(error))
        else:
            self._series.took(kind, call.name, call.due, seconds)
            self._series.ended(call.name, call.due + seconds)
        self._environment.events.request.fire(
            request_type=kind,
            name=call.name,
            response_time=1000 * seconds,
            response_length=size,
            response=call.value,
            context={},
            exception=error,
            start_time=call.due + EPOCH,
            url=None,
        )
