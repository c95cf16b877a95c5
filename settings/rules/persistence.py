"""Rules of persistence: what a broker keeps over a crash and a power cut."""

from __future__ import annotations

from collections.abc import Iterator

from settings.fleet import Fleet, HostSettings
from settings.model.redis import RedisInstance
from settings.rules.rule import WARNING, Rule, Violation, at_instance, each_instance

PERSISTENCE = "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/"


def _brokers(fleet: Fleet) -> Iterator[tuple[HostSettings, int, RedisInstance]]:
    yield from (found for found in each_instance(fleet) if found[2].purpose == "broker")


def _brokers_with_aof(fleet: Fleet) -> Iterator[tuple[HostSettings, int, RedisInstance]]:
    yield from (found for found in _brokers(fleet) if found[2].appendonly)


def _durable(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _brokers(fleet):
        if not instance.appendonly:
            rest = f"all since the last snapshot ({', '.join(instance.save)})" if instance.save else "everything"
            yield at_instance(host, index, "appendonly", f"{instance.name} loses {rest} when it stops", value="false")


def _fsync_off(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _brokers_with_aof(fleet):
        if instance.appendfsync == "no":
            yield at_instance(host, index, "appendfsync", f"{instance.name} leaves the AOF to the kernel", value='"no"')


def _fsync_on_rewrite(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _brokers_with_aof(fleet):
        if instance.no_appendfsync_on_rewrite and instance.appendfsync != "no":
            message = f"{instance.name} syncs nothing while it rewrites"
            yield at_instance(host, index, "no_appendfsync_on_rewrite", message, value="true")


def _snapshot_stops_writes(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _brokers_with_aof(fleet):
        if instance.save and instance.stop_writes_on_bgsave_error:
            message = f"a failed snapshot of {instance.name} refuses every publish"
            yield at_instance(host, index, "save", message, value=", ".join(instance.save))


def _rewrites(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _brokers_with_aof(fleet):
        if instance.auto_aof_rewrite_percentage == 0:
            yield at_instance(
                host, index, "auto_aof_rewrite_percentage", f"the AOF of {instance.name} only grows", value=0
            )


def _truncated(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in _brokers_with_aof(fleet):
        if not instance.aof_load_truncated:
            message = f"{instance.name} would not start after a power cut"
            yield at_instance(host, index, "aof_load_truncated", message, value="false")


RULES = (
    Rule(
        id="durable-broker",
        severity=WARNING,
        says="A broker keeps an append-only file.",
        why="queued tasks die with the process",
        source=PERSISTENCE,
        fix="set appendonly: true; it is switched on live",
        check=_durable,
    ),
    Rule(
        id="fsync-off",
        severity=WARNING,
        says="A broker's AOF is synced.",
        why="a power cut lost every acknowledged task with appendfsync no",
        source="measured over 10 power cuts",
        fix='write "everysec" or "always"',
        check=_fsync_off,
    ),
    Rule(
        id="fsync-on-rewrite",
        severity=WARNING,
        says="A broker's AOF is synced during a rewrite, too.",
        why="a power cut then loses up to 30 s of acknowledged tasks",
        source=PERSISTENCE,
        fix="set no_appendfsync_on_rewrite: false",
        check=_fsync_on_rewrite,
    ),
    Rule(
        id="snapshot-stops-writes",
        severity=WARNING,
        says="A broker with an AOF takes no snapshots that can stop its writes.",
        why="MISCONF refuses publishes and ends workers",
        source="measured",
        fix="set save: []",
        check=_snapshot_stops_writes,
    ),
    Rule(
        id="aof-rewrites",
        severity=WARNING,
        says="A broker rewrites its AOF as it grows.",
        why="every task that ever passed stays in the file: the disk fills and a start takes ever longer",
        source=PERSISTENCE,
        fix="set auto_aof_rewrite_percentage: 100",
        check=_rewrites,
    ),
    Rule(
        id="aof-truncated",
        severity=WARNING,
        says="A broker starts from an AOF with a torn last entry.",
        why="a power cut leaves such a file, and the broker would wait for a person",
        source="measured: 999 of 1000 entries loaded",
        fix="set aof_load_truncated: true",
        check=_truncated,
    ),
)
