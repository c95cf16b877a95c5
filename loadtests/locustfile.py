"""A workload of `load_profiles` for Locust: LOAD_TARGET names the target's file, LOAD_PROFILE that of the profile."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtests.generator.open_model import ArrivalShape, ArrivalUser
from loadtests.schedule import schedule_of
from settings.model.load import LoadProfile, LoadTask

FILE = "LOAD_PROFILE"
PROFILE = LoadProfile.model_validate_json(Path(os.environ[FILE]).read_text(encoding="utf-8"))


class Shape(ArrivalShape):
    """Ends with the arrivals."""


class Workload(ArrivalUser):
    """Sends the mix of the profile, each task when it is due."""

    schedule = schedule_of(PROFILE)
    seed = PROFILE.seed if PROFILE.random else None
    limit = max(kind.limit + kind.countdown for kind in PROFILE.tasks)

    def on_arrivals(self, part: int) -> None:
        """Draw the order of the mix: of each generator another, and the same again for the same seed."""
        self._draw = random.Random(f"{PROFILE.seed} {part}")  # noqa: S311 - an order, no secret
        self._weights = [kind.share for kind in PROFILE.tasks]
        self._kinds = [(kind, _args(kind), _options(kind)) for kind in PROFILE.tasks]

    def arrive(self, due: float) -> None:
        """Submit one of them."""
        ((kind, args, options),) = self._draw.choices(self._kinds, self._weights)
        told: dict[str, Any] = {"name": kind.name, "limit": kind.limit, "due": due, "fails": kind.fails}
        if kind.chain:
            steps = [(kind.task, args), *((step.task, tuple(step.args)) for step in kind.chain)]
            self.client.submit_chain(steps, kind.kwargs, **told, **options)
        else:
            self.client.submit(kind.task, args, kind.kwargs, **told, **options)


def _args(kind: LoadTask) -> tuple[Any, ...]:
    return (*(("x" * kind.payload,) if kind.payload else ()), *kind.args)


def _options(kind: LoadTask) -> Mapping[str, Any]:
    said = {
        "queue": kind.queue,
        "priority": kind.priority,
        "expires": kind.expires,
        "time_limit": kind.time_limit,
        "soft_time_limit": kind.soft_time_limit,
        "countdown": kind.countdown or None,
    }
    return {name: value for name, value in said.items() if value is not None}
