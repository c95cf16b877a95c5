"""What a run of Locust does from a second after its users' start to its end: tasks, seconds, seconds of the CPU."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import gevent
from locust import events
from locust.env import Environment

from benchmarks.locustfiles import FILE

WARM_UP = 1.0  # seconds

_at: dict[str, float] = {}
_environment: list[Environment] = []


def _now() -> dict[str, float]:
    tasks = float(_environment[0].stats.total.num_requests)
    return {"tasks": tasks, "seconds": time.perf_counter(), "cpu": time.process_time()}


@events.init.add_listener  # type: ignore[untyped-decorator]
def _init(environment: Environment, **_: Any) -> None:
    _environment.append(environment)


@events.spawning_complete.add_listener  # type: ignore[untyped-decorator]
def _begin(**_: Any) -> None:
    # the first task of each kind imports, connects, makes a template
    gevent.spawn_later(WARM_UP, lambda: _at.update(_now()))


@events.test_stopping.add_listener  # type: ignore[untyped-decorator]
def _end(**_: Any) -> None:
    total = _environment[0].stats.total
    errors = "; ".join(f"{one.occurrences} {one.error}" for one in _environment[0].stats.errors.values())
    told = {name: value - _at[name] for name, value in _now().items()} | {
        "all_tasks": float(total.num_requests),
        "failures": float(total.num_failures),
        "errors": errors,
    }
    file = Path(os.environ[FILE])
    half = file.with_suffix(".half")
    half.write_text(json.dumps(told), encoding="utf-8")
    half.rename(file)
