"""Where the stack stands on a host and who keeps its processes alive."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from settings.describe import Apply, Item, Section, setting
from settings.types import Command, Day, Flag, PathOrEmpty, Text, Word


class AcceptedRisk(Item):
    """A finding that somebody has read and lives with; shown in every report."""

    id: Text = setting(..., "Id of the rule, from docs/rules.md.", apply=Apply.LIVE)
    reason: Text = setting(..., "Why this deployment lives with it.", apply=Apply.LIVE, min_length=10)
    until: Day | None = setting(None, "Day after which the rule counts again (YYYY-MM-DD).", apply=Apply.LIVE)


class Stack(Section):
    """Settings without a role of their own; their names carry no common prefix."""

    prefix: ClassVar[str] = ""

    stack_root: PathOrEmpty = setting(
        "",
        "Directory below which every written path stands: empty on a server, a directory of the user's for a "
        "local stack.",
        apply=Apply.DEPLOY,
    )
    stack_run_dir: PathOrEmpty = setting(
        "",
        "Directory of sockets and pid files; empty means `/run` below `stack_root`.",
        apply=Apply.RESTART,
        source="unix(7): a socket's path holds at most 107 bytes (103 on macOS), so a deep `stack_root` needs a "
        "short one",
    )
    process_manager: Annotated[Literal["systemd", "supervisor"], Word] = setting(
        "systemd",
        "What starts, watches and restarts the processes.",
        apply=Apply.DEPLOY,
    )
    stack_supervisord_binary: Command = setting(
        "supervisord", "Supervisor's program, where it is the process manager.", apply=Apply.DEPLOY
    )
    stack_image_redis: Text = setting(
        "redis:7-alpine", "Image of Redis, where it runs in a container.", apply=Apply.DEPLOY
    )
    stack_image_worker: Text = setting(
        "redis-celery-worker", "Image of the workers, built from images/worker.", apply=Apply.DEPLOY
    )
    stack_logs: Annotated[Literal["journal", "files"], Word] = setting(
        "journal",
        "Where services log under systemd: the journal, or rotated files below /var/log. Supervisor always "
        "writes files.",
    )
    stack_drill: Flag = setting(
        False, "Whether `make drill` may let faults loose on these hosts: staging, never production.", apply=Apply.LIVE
    )
    accepted_risks: list[AcceptedRisk] = setting(
        list, "Findings of rules that this deployment lives with, by id and reason.", apply=Apply.LIVE
    )
