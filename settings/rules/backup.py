"""Rules of backups: what is worth one, where it may stand, and whether it outlives its host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from settings.fleet import Fleet, HostSettings
from settings.rules.rule import ERROR, WARNING, Rule, Violation

PERSISTENCE = "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/#backing-up-redis-data"
DATA = PurePosixPath("/var/lib/redis")
DAY = 24 * 60  # minutes


def _enabled(fleet: Fleet) -> Iterator[HostSettings]:
    yield from (host for host in fleet.members("redis") if host.backup.enabled)


def _known(fleet: Fleet) -> Iterator[Violation]:
    for host in _enabled(fleet):
        names = [instance.name for instance in host.instances]
        for index, name in enumerate(host.backup.instances):
            if host.redis.unmanaged and name not in names:
                fix = f"use one of: {', '.join(names)}"
                yield Violation(host, "backup_instances", f"no instance is called {name}", (index,), name, fix)


def _cache(fleet: Fleet) -> Iterator[Violation]:
    for host in _enabled(fleet):
        for instance in host.backed_up:
            if instance.purpose == "cache":
                index = host.backup.instances.index(instance.name)
                yield Violation(host, "backup_instances", f"{instance.name} is a cache", (index,), instance.name)


def _persists(fleet: Fleet) -> Iterator[Violation]:
    for host in _enabled(fleet):
        for instance in host.backed_up:
            if not (instance.appendonly or instance.save):
                index = host.backup.instances.index(instance.name)
                message = f"{instance.name} keeps nothing, and would load the last backup when it starts"
                yield Violation(host, "backup_instances", message, (index,), instance.name)


def _nothing(fleet: Fleet) -> Iterator[Violation]:
    for host in _enabled(fleet):
        if not host.redis.unmanaged:
            yield Violation(host, "backup_enabled", "Redis is managed: nothing is backed up from here", value="true")
        elif not host.backed_up and not host.backup.instances:
            yield Violation(host, "backup_enabled", "no instance persists: nothing is backed up", value="true")


def _related(one: PurePosixPath, other: PurePosixPath) -> bool:
    return one == other or one in other.parents or other in one.parents


def _apart(fleet: Fleet) -> Iterator[Violation]:
    for host in _enabled(fleet):
        directory = PurePosixPath(host.backup.directory)
        if _related(directory, DATA):
            message = f"the data of Redis stand in {DATA}"
            yield Violation(host, "backup_directory", message, value=str(directory))
        target = host.backup.copy_to
        if target.startswith("/") and (
            _related(PurePosixPath(target), PurePosixPath(host.stack.stack_root + host.backup.directory))
            or _related(PurePosixPath(target), PurePosixPath(f"{host.stack.stack_root}{DATA}"))
        ):
            yield Violation(host, "backup_copy_to", "the copy would stand beside what it is a copy of", value=target)


def _copied(fleet: Fleet) -> Iterator[Violation]:
    for host in _enabled(fleet):
        # a stack below a root of its own is a try-out: nobody looks for its data elsewhere
        if host.backed_up and not host.backup.copy_to and not host.stack.stack_root:
            yield Violation(host, "backup_copy_to", "backups stay on the host that they are of")


def _copy_key(fleet: Fleet) -> Iterator[Violation]:
    for host in _enabled(fleet):
        if "@" not in host.backup.copy_to:
            continue
        for name in ("copy_key", "copy_host_key"):
            if not getattr(host.backup, name):
                yield Violation(host, f"backup_{name}", f"ssh to {host.backup.copy_to} needs it")


def _age(fleet: Fleet) -> Iterator[Violation]:
    for host in _enabled(fleet):
        times = sorted(int(at[:2]) * 60 + int(at[3:]) for at in host.backup.at)
        gaps = [later - earlier for earlier, later in zip(times, [*times[1:], times[0] + DAY], strict=True)]
        longest = max(gaps) * 60
        if host.backup.max_age <= longest:
            message = f"{longest} seconds lie between two backups"
            yield Violation(
                host, "backup_max_age", message, value=str(host.backup.max_age), fix=f"write {longest + 7200}"
            )


RULES = (
    Rule(
        id="backup-known",
        severity=ERROR,
        says="What is to be backed up runs on the host.",
        why="a misspelt instance would never have a backup",
        source="this repository",
        fix="write the name of an instance",
        check=_known,
        acceptable=False,
    ),
    Rule(
        id="backup-cache",
        severity=WARNING,
        says="Caches are not backed up.",
        why="a snapshot costs memory and disk, and what it holds is stale when it is wanted",
        source=PERSISTENCE,
        fix="leave it out of backup_instances",
        check=_cache,
    ),
    Rule(
        id="backup-persists",
        severity=WARNING,
        says="What is backed up persists.",
        why="the snapshot stays in its data directory: the next start loads it, and old tasks run again",
        source=PERSISTENCE,
        fix="set appendonly: true for the instance, or leave it out of backup_instances",
        check=_persists,
    ),
    Rule(
        id="backup-something",
        severity=WARNING,
        says="Where backups are on, there is something to back up.",
        why="the next person relies on a backup that does not exist",
        source="this repository",
        fix="set backup_enabled: false; a managed Redis is backed up by its provider",
        check=_nothing,
    ),
    Rule(
        id="backup-apart",
        severity=ERROR,
        says="Backups, their copies and the data stand apart.",
        why="one wrong rm, or one full disk, takes them all",
        source=PERSISTENCE,
        fix="choose another directory, best on another disk",
        check=_apart,
        acceptable=False,
    ),
    Rule(
        id="backup-copied",
        severity=WARNING,
        says="Backups are copied off their host.",
        why="they die with its disk",
        source=PERSISTENCE,
        fix="set backup_copy_to",
        check=_copied,
    ),
    Rule(
        id="backup-copy-key",
        severity=ERROR,
        says="A copy by ssh has a key, and knows the target.",
        why="nobody is there to type a password, or to compare a fingerprint",
        source="ssh(1), StrictHostKeyChecking",
        fix="make one by `ssh-keygen -t ed25519 -N ''`, and read the other by `ssh-keyscan -t ed25519`",
        check=_copy_key,
        acceptable=False,
    ),
    Rule(
        id="backup-age",
        severity=ERROR,
        says="The age that alarms is longer than the time between two backups.",
        why="verify would fail every day with nothing wrong",
        source="this repository",
        fix="set a longer backup_max_age",
        check=_age,
    ),
)
