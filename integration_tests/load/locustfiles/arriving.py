"""Arrivals at the rate of the environment; each task's times go to a file, as Locust is told of them."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import gevent
from locust import events
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtests.generator.arrivals import constant
from loadtests.generator.open_model import ArrivalShape, ArrivalUser

BURN = float(os.environ.get("LOAD_BURN", "0"))  # seconds of the CPU per arrival
SLOW = float(os.environ.get("LOAD_SLOW", "0"))  # seconds that a generator takes to reach the target
TIMES = os.environ.get("LOAD_TIMES")


class Shape(ArrivalShape):
    """Ends with the arrivals."""


class Flow(ArrivalUser):
    """Arrives evenly."""

    schedule = constant(float(os.environ["LOAD_RATE"]), float(os.environ["LOAD_SECONDS"]))
    limit = float(os.environ.get("LOAD_LIMIT", "30"))

    def arrive(self, due: float) -> None:
        """Submit a task that tells its times; a generator that is too slow has something else to do first."""
        end = time.perf_counter() + BURN
        while time.perf_counter() < end:
            pass
        self.client.submit("probe.sleep", (0,), queue="fast", due=due, limit=self.limit)


if TIMES:
    written = open(TIMES, "a", buffering=1, encoding="utf-8")  # noqa: SIM115 - until the process ends

    @events.request.add_listener  # type: ignore[untyped-decorator]
    def write(start_time: float, response_time: float, response: Any, exception: Any, **_: Any) -> None:
        """Keep what Locust is told."""
        told = {"due": start_time, "took": response_time / 1000, "result": response, "error": str(exception or "")}
        written.write(json.dumps(told) + "\n")


if SLOW:

    def dawdle(environment: Environment, **_: Any) -> None:
        """Be late: the master has called this generator ready, and begins without asking."""
        if isinstance(environment.runner, WorkerRunner):
            gevent.sleep(SLOW)

    events.init._handlers.insert(0, dawdle)
