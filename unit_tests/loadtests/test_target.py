"""Promises: a target is what the settings say of producers; it is written for its owner alone, and shows no password."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.generator.target import VARIABLE, NoTarget, Target
from settings.fleet import Fleet
from unit_tests.settings.fleets import PASSWORDS, fleet_of

CASE = {
    "celery_global_keyprefix": "app1:",
    "celery_queues": [{"name": "fast"}, {"name": "slow"}],
    "celery_task_default_queue": "fast",
    "celery_routes": [{"match": "probe.long", "queue": "slow", "priority": 9}, {"match": "probe.*", "queue": "fast"}],
    "celery_workers": [{"name": "all", "queues": ["fast", "slow"]}],
}


def target(**more: object) -> Target:
    fleet, problems = fleet_of({**CASE, **more})
    assert isinstance(fleet, Fleet), problems
    return Target.of(fleet, fleet.hosts["one"])


def test_it_publishes_as_a_producer_where_and_how_the_settings_say() -> None:
    made = target()
    assert made.broker.startswith(f"redis://producer:{PASSWORDS['producer']}@")
    assert made.queues == ["fast", "slow"]
    assert made.routes == [("probe.long", {"queue": "slow", "priority": 9}), ("probe.*", {"queue": "fast"})]
    assert made.key_prefix == "app1:"
    assert made.conf["task_default_queue"] == "fast"


def test_it_survives_its_file_which_only_its_owner_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "target.json"
    target().write(file)
    assert file.stat().st_mode & 0o077 == 0
    monkeypatch.setenv(VARIABLE, str(file))
    assert Target.named() == target()


def test_it_shows_no_password() -> None:
    assert PASSWORDS["producer"] not in repr(target())


def test_a_transport_whose_messages_are_not_known_is_refused() -> None:
    with pytest.raises(NoTarget, match="celery_transport: redis-plus"):
        target(celery_transport="redis-plus")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"broker": 1, "routes": []}'])
def test_a_file_that_describes_no_target_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "target.json"
    file.write_text(text)
    with pytest.raises(NoTarget, match=r"target\.json describes no target"):
        Target.read(file)
