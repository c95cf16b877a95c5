"""Rules of hosts: groups, the process manager, paths that the kernel takes."""

from __future__ import annotations

from collections.abc import Iterator

from settings.fleet import GROUPS, Fleet
from settings.names import nearest
from settings.rules.rule import ERROR, WARNING, Rule, Violation

# Linux takes 107 bytes, macOS 103; supervisor first binds the path with its pid behind it (up to 8 characters).
SOCKET_PATH = 95
LONGEST_SOCKET = "/supervisor.sock"
# What Debian's packages call their units, behind `redis-`.
DISTRIBUTION = ("server", "sentinel")
# A group is a misspelling of one of ours from this share of common letters on.
MISSPELT = 0.8


def _groups(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for name in host.raw.groups:
            near = nearest(name, GROUPS, cutoff=MISSPELT) if name not in GROUPS else ""
            if near and near not in host.raw.groups:
                message = "this is a group that no role looks at"
                where = host.raw.places.of_group(name)
                yield Violation(host, "groups", message, value=name, fix=f"write {near}", where=where)
    hosts = list(fleet)
    if hosts and not any(set(host.raw.groups) & set(GROUPS) for host in hosts):
        message = "no host is in a group that a role looks at: nothing would be deployed"
        groups = hosts[0].raw.groups
        where = hosts[0].raw.places.of_group(groups[-1]) if groups else ""
        yield Violation(hosts[0], "groups", message, value=", ".join(groups), where=where)


def _manager_root(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.stack.process_manager == "systemd" and host.stack.stack_root:
            message = f"systemd reads no units below {host.stack.stack_root}"
            yield Violation(host, "process_manager", message, value="systemd")


def _socket_path(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.stack.process_manager == "supervisor":
            path = (host.stack.stack_run_dir or host.stack.stack_root + "/run") + LONGEST_SOCKET
            if len(path.encode()) > SOCKET_PATH:
                message = f"the path of a socket has {len(path)} characters, and {SOCKET_PATH} is the most"
                yield Violation(host, "stack_run_dir", message, value=path)


def _unit_names(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for index, instance in enumerate(host.instances):
            if host.stack.process_manager == "systemd" and instance.name in DISTRIBUTION:
                message = f"redis-{instance.name}.service is the distribution's own unit"
                yield Violation(host, "redis_instances", message, path=(index, "name"), value=instance.name)


def _generators_apart(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.members("locust"):
        here = [what for what, so in (("Redis", bool(host.instances)), ("Celery", host.uses_celery)) if so]
        if here and len(list(fleet)) > 1:
            message = f"it generates load, and runs {' and '.join(here)}"
            yield Violation(host, "groups", message, value="locust", where=host.raw.places.of_group("locust"))


RULES = (
    Rule(
        id="groups-known",
        severity=ERROR,
        says="Hosts are in the groups that the roles look at.",
        why="a host in a misspelt group is left out of every deploy",
        source="this repository",
        fix=f"use the groups {', '.join(GROUPS)}",
        check=_groups,
    ),
    Rule(
        id="manager-root",
        severity=ERROR,
        says="A stack below a directory of its own is run by supervisor.",
        why="its processes would never start",
        source="systemd.unit(5), unit file load path",
        fix="write supervisor, or leave stack_root empty",
        check=_manager_root,
    ),
    Rule(
        id="socket-path",
        severity=ERROR,
        says="A socket's path is short enough for the kernel.",
        why="bind fails with a path that is too long",
        source="unix(7)",
        fix="set stack_run_dir to a short directory",
        check=_socket_path,
        acceptable=False,
    ),
    Rule(
        id="unit-names",
        severity=ERROR,
        says="An instance has a unit's name of its own.",
        why="the distribution's unit is masked, and a masked unit never starts",
        source="Debian's packages redis-server and redis-sentinel",
        fix="call it broker",
        check=_unit_names,
        acceptable=False,
    ),
    Rule(
        id="generators-apart",
        severity=WARNING,
        says="Load is generated on hosts that are not under load themselves.",
        why="generator and system take each other's CPU, and the figures are those of neither",
        source="this repository",
        fix="put hosts of their own into the group locust",
        check=_generators_apart,
    ),
)
