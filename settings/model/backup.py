"""Backups of Redis: when, where to, how many, and the copy off the host."""

from __future__ import annotations

from typing import ClassVar

from settings.describe import Apply, Section, setting
from settings.types import CopyTarget, DirectoryPath, Flag, Name, Port, Positive, PrivateKey, Text, TimeOfDay

PERSISTENCE = "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/#backing-up-redis-data"


class Backup(Section):
    """Each host of the group `redis` backs its own instances up, replicas too: a failover leaves no gap."""

    prefix: ClassVar[str] = "backup_"

    enabled: Flag = setting(
        False, "Take backups by a timer, and let `make backup` and `make restore` work.", apply=Apply.DEPLOY
    )
    instances: list[Name] = setting(
        list, "Instances to back up; empty is every one that persists and is no cache.", apply=Apply.DEPLOY
    )
    at: list[TimeOfDay] = setting(
        lambda: ["02:30"],
        'Times of day "HH:MM", in the host\'s time zone; one that a host slept through is made up for.',
        apply=Apply.DEPLOY,
        min_length=1,
        max_length=96,
    )
    directory: DirectoryPath = setting(
        "/var/backups/redis",
        "Directory of the backups on the host; an instance has one of its own below it.",
        apply=Apply.DEPLOY,
    )
    keep: Positive = setting(
        7, "Backups of an instance that stay on the host.", unit="backups", apply=Apply.DEPLOY, le=10_000
    )
    max_age: Positive = setting(
        93_600,
        "`make verify` fails where the last backup is older.",
        unit="seconds",
        apply=Apply.LIVE,
        le=366 * 86_400,
    )
    timeout: Positive = setting(
        3600,
        "Longest wait for a snapshot, a rewrite of the AOF before it included.",
        unit="seconds",
        apply=Apply.DEPLOY,
        source=PERSISTENCE,
        le=86_400,
    )
    copy_to: CopyTarget = setting(
        "",
        "Where a copy goes, below a directory of the host's name: `user@host:/path` (rsync over ssh), or a directory "
        "that is mounted from elsewhere. Copies are never deleted from here: a host that is taken over must not "
        "delete its backups.",
        apply=Apply.DEPLOY,
    )
    copy_port: Port = setting(22, "Port of ssh at the target.", apply=Apply.DEPLOY)
    copy_key: PrivateKey | None = setting(
        None, "Private key for the target; belongs into the vault file.", apply=Apply.DEPLOY, secret=True
    )
    copy_host_key: Text = setting(
        "",
        "Host key of the target, as `ssh-keyscan -t ed25519` prints it, compared at the target: no other is accepted.",
        apply=Apply.DEPLOY,
        source="ssh(1), StrictHostKeyChecking",
    )
