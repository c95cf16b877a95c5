"""What the operating system of a host has to grant."""

from __future__ import annotations

from typing import ClassVar

from settings.describe import Apply, Section, setting
from settings.types import Bytes, Flag, Positive, Whole

REDIS_ADMIN = "https://redis.io/docs/latest/operate/oss_and_stack/management/admin/"


class Host(Section):
    """Kernel settings, packages and log rotation."""

    prefix: ClassVar[str] = "host_"

    memory: Bytes = setting(
        0,
        "Memory that this stack may count on; 0 leaves the memory rules to the deploy, which asks the host.",
        unit="bytes",
        apply=Apply.DEPLOY,
    )
    manage_packages: Flag = setting(True, "Install the packages that the roles need.", apply=Apply.DEPLOY)
    manage_users: Flag = setting(True, "Create the system users `redis_user` and `celery_user`.", apply=Apply.DEPLOY)
    manage_sysctl: Flag = setting(True, "Write and load the kernel settings below.", apply=Apply.DEPLOY)
    overcommit_memory: Whole = setting(
        1,
        "vm.overcommit_memory: 1 lets Redis fork for an AOF rewrite while it fills more than half of the memory.",
        apply=Apply.LIVE,
        source=REDIS_ADMIN,
        le=2,
    )
    somaxconn: Positive = setting(
        4096,
        "net.core.somaxconn: upper bound of every listen queue, `redis_tcp_backlog` included. 4096 is Linux's own since "
        "5.4.",
        unit="connections",
        apply=Apply.LIVE,
        source=REDIS_ADMIN,
        le=65535,
    )
    disable_transparent_hugepage: Flag = setting(
        True,
        "Turn transparent huge pages off: they multiply copy-on-write memory and latency at a fork.",
        apply=Apply.LIVE,
        source=REDIS_ADMIN,
    )
    log_rotate_size: Bytes = setting(
        10 * 1024**2, "A log file is rotated when it reaches this size.", unit="bytes", apply=Apply.DEPLOY
    )
    log_rotate_keep: Positive = setting(
        5, "Rotated log files that are kept.", unit="files", apply=Apply.DEPLOY, le=1000
    )
