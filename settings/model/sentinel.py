"""Redis Sentinel: watches the broker and promotes a replica."""

from __future__ import annotations

from typing import ClassVar

from settings.describe import Apply, Section, setting
from settings.types import Flag, Name, Port, Positive, Secret

SOURCE = "https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/"


class Sentinel(Section):
    """Sentinels run on the hosts of the inventory group `sentinel`."""

    prefix: ClassVar[str] = "sentinel_"

    enabled: Flag = setting(False, "Workers find the broker through Sentinel.", source=SOURCE)
    master_name: Name = setting("broker", "Name under which Sentinel knows the broker.", source=SOURCE)
    port: Port = setting(26379, "TCP port of a Sentinel.", source=SOURCE)
    quorum: Positive = setting(
        2, "Sentinels that must agree that the master is down.", apply=Apply.LIVE, source=SOURCE, le=99
    )
    down_after_milliseconds: Positive = setting(
        5000,
        "Silence after which the master counts as down.",
        unit="milliseconds",
        apply=Apply.LIVE,
        source=SOURCE,
        le=3_600_000,
    )
    failover_timeout: Positive = setting(
        30_000, "Bound of a failover's phases.", unit="milliseconds", apply=Apply.LIVE, source=SOURCE, le=3_600_000
    )
    parallel_syncs: Positive = setting(
        1, "Replicas that copy the new master at once.", unit="replicas", apply=Apply.LIVE, source=SOURCE, le=99
    )
    password: Secret | None = setting(None, "Password that clients show to a Sentinel.", apply=Apply.LIVE, secret=True)
