"""Which workloads and objectives there are: those that ship, and those of an inventory on top of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from settings.model.load import Load, LoadProfile, LoadSlo

SHIPPED = Path(__file__).parent / "shipped" / "load.yml"


@cache
def shipped() -> Load:
    """Return what ships with the project."""
    return Load.model_validate(yaml.safe_load(SHIPPED.read_text(encoding="utf-8")))


def profiles(load: Load) -> dict[str, LoadProfile]:
    """Return name → workload; one of the inventory replaces one that ships."""
    return {profile.name: profile for profile in (*shipped().profiles, *load.profiles)}


def objectives(load: Load, profile: str) -> list[LoadSlo]:
    """Return what a workload has to hold, one objective for the same measure of the same tasks.

    One of the inventory replaces one that ships, and one that names the workload replaces one for every workload.
    """
    found = {}
    own = sorted(load.slos, key=lambda slo: slo.profile is not None)
    for slo in (*shipped().slos, *own):
        if slo.profile in (None, profile):
            found[slo.measure, slo.task, slo.at_least is None] = slo
    return list(found.values())
