"""Redis Sentinel: watches the broker and promotes a replica."""

from __future__ import annotations

from typing import ClassVar

from settings.describe import Apply, Section, setting
from settings.types import BindAddress, Bytes, Flag, Name, Port, Positive, UnitLine

SOURCE = "https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/"


class Sentinel(Section):
    """Sentinels run on the hosts of the inventory group `sentinel`."""

    prefix: ClassVar[str] = "sentinel_"

    enabled: Flag = setting(False, "Workers find the broker through Sentinel.", source=SOURCE)
    master_name: Name = setting("broker", "Name under which Sentinel knows the broker.", source=SOURCE)
    bind: list[BindAddress] = setting(
        list,
        "Addresses that a Sentinel listens on; empty takes the one that others reach the host by, and loopback.",
        source=SOURCE,
    )
    port: Port = setting(
        26379, "Port of a Sentinel; it speaks TLS where the Redis that it watches does.", source=SOURCE
    )
    quorum: Positive = setting(
        2, "Sentinels that must agree that the master is down.", apply=Apply.LIVE, source=SOURCE, le=99
    )
    down_after_milliseconds: Positive = setting(
        4000,
        "Silence after which the master counts as down. Less would take a slow disk for a death; more would miss the "
        "second attempt of a worker that lost its broker: it tries after 2, 6 and 12 s.",
        unit="milliseconds",
        apply=Apply.LIVE,
        source=f"kombu 5.7 connection.py, ensure_connection; measured; {SOURCE}",
        le=3_600_000,
    )
    failover_timeout: Positive = setting(
        15_000,
        "Bound of a failover's phases; a failed one is tried again after twice this.",
        unit="milliseconds",
        apply=Apply.LIVE,
        source=SOURCE,
        le=3_600_000,
    )
    parallel_syncs: Positive = setting(
        1, "Replicas that copy the new master at once.", unit="replicas", apply=Apply.LIVE, source=SOURCE, le=99
    )
    start_timeout: Positive = setting(
        30, "Longest wait for an answer after a start.", unit="seconds", apply=Apply.LIVE, source=SOURCE, le=3600
    )
    memory_max: Bytes = setting(
        0, "systemd MemoryMax of the service; 0 is none.", unit="bytes", source="systemd.resource-control(5)"
    )
    unit_extra: list[UnitLine] = setting(
        list,
        "Further lines of the systemd unit, after the sandbox and so with the last word.",
        source="systemd.exec(5)",
    )
