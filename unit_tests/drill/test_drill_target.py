"""What a failover may cost, and how long a task may take to come back, follow from the settings."""

from __future__ import annotations

from pathlib import Path

from drill.targets.target import TAKEN_OVER, TURNED, failover
from settings.fleet import Fleet
from settings.loader import load

SANE = Path(__file__).resolve().parents[1] / "settings" / "sane"


def fleet(tmp_path: Path, lag: str) -> Fleet:
    """Return the fleet with Sentinels, with another bound for what a master takes alone."""
    inventory = tmp_path / "sentinels.yml"
    told = (SANE / "sentinels.yml").read_text()
    inventory.write_text(told.replace("redis_min_replicas_to_write: 1", lag))
    return load(inventory).fleet


def test_where_no_sentinel_watches_nobody_takes_over() -> None:
    assert failover(load(SANE / "tls-fleet.yml").fleet) is None


def test_a_master_that_needs_replicas_loses_no_more_than_their_lag(tmp_path: Path) -> None:
    settings = "redis_min_replicas_to_write: 1\n    redis_min_replicas_max_lag: 3"
    found = failover(fleet(tmp_path, settings))
    assert found
    assert found.window == 3


def test_a_master_that_needs_none_takes_tasks_until_it_is_turned(tmp_path: Path) -> None:
    risk = "accepted_risks: [{id: old-master, reason: this test asks what it costs}]"
    found = failover(fleet(tmp_path, risk))
    assert found
    assert found.window == TAKEN_OVER + TURNED
