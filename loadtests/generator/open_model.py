"""Open model: arrivals are kept whatever the system does, and latency counts from when they were due.

    class Peak(ArrivalUser):
        schedule = spike(base=100, peak=2000, before=30, during=10, after=60)

        def arrive(self, due):
            self.client.submit("probe.noop", due=due)

    class Shape(ArrivalShape): ...

Locust controls users; arrivals are no users. One greenlet per process submits what is due, and never waits for an answer.
The master (or the only process) tells each generator which share is its own and when time 0 is; each tells how it kept
the pace. With `--processes` and on several hosts alike.
"""

from __future__ import annotations

import logging
import signal
import sys
from typing import Any

import gevent
from locust import LoadTestShape, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests.generator.arrivals import Schedule, arrivals
from loadtests.generator.call import EPOCH, clock
from loadtests.generator.client import LIMIT
from loadtests.generator.pace import Pace, verdict
from loadtests.generator.series import series_of
from loadtests.generator.user import CeleryUser

SHARE, READY, DONE = "arrivals-share", "arrivals-ready", "arrivals-done"  # messages between Locust's processes
AGAIN = 0.2  # seconds until a generator says once more that it is ready
PATIENCE = 30.0  # seconds in which all have to be
START = 1.0  # seconds from the word to time 0: until it is everywhere
GRACE = 10.0  # seconds, beyond the last deadline, in which a generator has to tell its pace
BURST = 50  # arrivals in a row, before others have their turn
# gevent's timers are up to a millisecond late. Where arrivals are far apart the last one is waited out awake.
TICK, SPARSE = 0.001, 0.005
TOO_SLOW = 3  # exit code of a run whose generator was saturated

logger = logging.getLogger(__name__)


class ArrivalUser(CeleryUser):
    """What arrives, and when. Locust's own instances idle: the open model makes one per process."""

    abstract = True
    schedule: Schedule
    seed: int | None = None  # arrivals at random, as of a Poisson process; None is evenly
    limit = LIMIT

    def on_arrivals(self, part: int) -> None:
        """Prepare to send a share of the arrivals, from 0."""

    def arrive(self, due: float) -> None:
        """Submit what arrives at a time; may not wait."""
        raise NotImplementedError

    @task  # type: ignore[untyped-decorator]
    def idle(self) -> None:
        """Locust wants a user to have something to do."""
        gevent.sleep(1.0)


class ArrivalShape(LoadTestShape):  # type: ignore[misc]
    """Ends the run when every generator has come to its end. To be subclassed in the locustfile, where Locust looks."""

    abstract = True

    def tick(self) -> tuple[int, float] | None:
        """Return one idle user per process until the end."""
        model = _models.get(id(self.runner.environment)) if self.runner else None
        if model is not None and model.over():
            return None
        workers = max(1, getattr(self.runner, "worker_count", 1))
        return workers, float(workers)


class OpenModel:
    """The arrivals of one environment: master, worker, or both in one process."""

    def __init__(self, environment: Environment) -> None:
        """Listen to the other processes and to Locust."""
        self._environment = environment
        self._greenlets: list[gevent.Greenlet] = []
        self._generators = 0
        self._paces: list[Pace] = []
        self._cut_short = False
        self._time0 = 0.0  # of the schedule, by `clock`; 0: not yet
        self._ready: set[str] = set()  # generators that listen to us and have reached the target
        runner = environment.runner
        if not isinstance(runner, MasterRunner):
            runner.register_message(SHARE, self._on_share)
        if not isinstance(runner, WorkerRunner):
            runner.register_message(DONE, self._on_done)
            runner.register_message(READY, self._on_ready)
            environment.events.test_start.add_listener(self._on_start)
            environment.events.quitting.add_listener(self._on_quitting)
            # Locust's own comes into force only behind the shape: a run that is cut short keeps its figures
            gevent.signal_handler(signal.SIGTERM, self._on_term)
        environment.events.test_stopping.add_listener(self._on_stopping)
        self._greeting = gevent.spawn(self._greet) if isinstance(runner, WorkerRunner) else None

    def _greet(self) -> None:
        """Tell the master that we listen: Locust calls us ready before, and what it sends then is lost."""
        while True:
            self._environment.runner.send_message(READY)
            gevent.sleep(AGAIN)

    @property
    def _users(self) -> list[type[ArrivalUser]]:
        return [user for user in self._environment.user_classes if issubclass(user, ArrivalUser)]

    def over(self) -> bool:
        """Whether all generators have come to their end, or should have by now."""
        if self._cut_short or (self._generators and len(self._paces) >= self._generators):
            return True
        longest = max(user.schedule.seconds + user.limit for user in self._users)
        return self._time0 > 0 and clock() > self._time0 + longest + GRACE

    def _on_start(self, **_: Any) -> None:
        runner = self._environment.runner
        clients = list(runner.clients) if isinstance(runner, MasterRunner) else [None]
        self._await_ready(clients)
        self._generators, self._paces = len(clients), []
        start = self._time0 = clock() + START
        series_of(self._environment).begin(start)
        for part, client_id in enumerate(clients):
            share = {"part": part, "parts": len(clients), "start": start + EPOCH}
            runner.send_message(SHARE, share, client_id)

    def _on_term(self) -> None:
        if not self._generators:
            sys.exit(1)  # nothing has begun
        self._cut_short = True

    def _await_ready(self, clients: list[str | None]) -> None:
        """Wait until every generator listens; one that never does is missed at the end."""
        until = clock() + PATIENCE
        while not self._ready.issuperset(filter(None, clients)) and clock() < until:
            gevent.sleep(AGAIN / 2)

    def _on_ready(self, msg: Any, **_: Any) -> None:
        self._ready.add(msg.node_id)

    def _on_share(self, msg: Any, **_: Any) -> None:
        if self._greeting is not None:
            self._greeting.kill()
        self._on_stopping()
        self._greenlets = [gevent.spawn(self._run, msg.data)]

    def _on_done(self, msg: Any, **_: Any) -> None:
        self._paces.append(Pace(**msg.data))

    def _on_stopping(self, **_: Any) -> None:
        gevent.killall(self._greenlets)

    def _on_quitting(self, **_: Any) -> None:
        wrong = verdict(self._paces, self._generators)
        if wrong:
            logger.error(wrong)
            series_of(self._environment).figures.complaint = wrong
            self._environment.process_exit_code = TOO_SLOW

    def _run(self, share: dict[str, Any]) -> None:
        pace = Pace()
        users = [user(self._environment) for user in self._users]
        start = share["start"] - EPOCH
        series_of(self._environment).begin(start)
        running = [gevent.spawn(keep, user, share["part"], share["parts"], start, pace) for user in users]
        watching = gevent.spawn(pace.watch)
        gevent.joinall(running, raise_error=True)
        users[0].client.drain(max(user.limit for user in users))
        watching.kill()
        self._environment.runner.send_message(DONE, pace.told())


def keep(user: ArrivalUser, part: int, parts: int, start: float, pace: Pace) -> None:
    """Submit a share of a user's arrivals, each when it is due.

    Args:
        user: what arrives.
        part: which share, from 0.
        parts: how many there are.
        start: time 0 of the schedule, by `clock`.
        pace: is told how late each was.
    """
    burst = 0
    user.on_arrivals(part)
    for at in arrivals(user.schedule, part, parts, user.seed):
        due = start + at
        burst = 0 if _wait(due) else burst + 1
        if burst >= BURST:
            gevent.sleep(0)
            burst = 0
        pace.arrived(clock() - due)
        user.arrive(due)


def _wait(due: float) -> bool:
    """Wait until a time; tell whether there was something to wait for."""
    left = due - clock()
    if left <= 0:
        return False
    if left < SPARSE:
        gevent.sleep(max(left, TICK))
        return True
    gevent.sleep(left - TICK)
    while clock() < due:
        gevent.sleep(0)
    return True


_models: dict[int, OpenModel] = {}


@events.init.add_listener  # type: ignore[untyped-decorator]
def _install(environment: Environment, **_: Any) -> None:
    if any(issubclass(user, ArrivalUser) for user in environment.user_classes):
        _models[id(environment)] = OpenModel(environment)
