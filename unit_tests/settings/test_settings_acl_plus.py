"""The rights under redis-plus are its own; what does not touch queues is as ever."""

from __future__ import annotations

import pytest

from settings.acl import permissions, users
from settings.acl_plus import COMMANDS
from unit_tests.settings.fleets import fleet_of

FORBIDDEN = ("+eval", "+flushall", "+flushdb", "+keys", "+config|set", "+shutdown", "+acl", "+@all", "+scan")


def rules(role: str, prefix: str = "", transport: str = "redis-plus") -> list[str]:
    return permissions(
        role, queues=["fast"], steps=[0, 3], broker_db=2, prefix=prefix, version=(7, 0), transport=transport
    ).split()


@pytest.mark.parametrize("role", COMMANDS)
def test_no_user_may_do_what_ends_or_empties_a_redis(role: str) -> None:
    assert not set(FORBIDDEN) & set(rules(role))
    assert not {"~*", "allkeys", "&*", "allchannels"} & set(rules(role))


@pytest.mark.parametrize("role", COMMANDS)
def test_every_key_and_channel_carries_the_prefix(role: str) -> None:
    marks = [rule for rule in rules(role, "shop:") if rule[0] in "~&%"]
    assert marks
    assert all(rule.split("~", 1)[-1].lstrip("&").startswith("shop:") for rule in marks)


def test_a_worker_reaches_its_queues_and_the_streams_of_its_database_alone() -> None:
    allowed = rules("worker")
    assert {"~queue:fast", "~messages_index:fast", "~/2.celery.pidbox", "~/2.celeryev"} <= set(allowed)
    assert "~fast" not in allowed
    assert not [rule for rule in rules("worker", transport="redis") if "queue:" in rule]


@pytest.mark.parametrize("role", ["admin", "health", "replica"])
def test_who_touches_no_queue_has_the_same_rights_on_both(role: str) -> None:
    assert rules(role) == rules(role, transport="redis")


def test_the_transport_of_the_workers_chooses() -> None:
    fleet, problems = fleet_of({"celery_transport": "redis-plus"})
    assert fleet is not None, problems
    host = fleet.hosts["one"]
    lines = {user.name: user.line for user in users(fleet, host, host.instances[0])}
    assert "~queue:celery" in lines["worker"]
    assert "+bzmpop" in lines["worker"]
    assert "+brpop" not in lines["worker"]
