#!/usr/bin/python
"""Ask a host in one round trip what it lacks, and tell its kernel what Redis needs. Standard library only."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_ready
short_description: Find what a host lacks before the stack can stand on it; set the kernel
description:
  - Packages, groups and users that are missing are returned, for Ansible's own modules to make; on a host that has all of
    them those modules are skipped.
  - Kernel settings are written to C(/proc/sys) and C(/sys). Where a container forbids that, a warning says so and what
    to do; the run goes on.
  - Masks the distribution's Redis before its package is installed, so that it never starts. One that runs, or would
    start at the next boot, on a port of ours is somebody's, and refused unless C(adopt) says to take it over.
options:
  packages: {description: Packages of Debian that must be there., type: list, elements: str, default: []}
  groups: {description: System groups that must be there., type: list, elements: str, default: []}
  users: {description: System users that must be there., type: list, elements: str, default: []}
  sysctl: {description: Kernel settings by their name with dots., type: dict, default: {}}
  hugepages_off: {description: Turn transparent huge pages off., type: bool, default: false}
  unit: {description: "The distribution's own Redis; empty where we run none.", type: str, default: ""}
  conf: {description: Its configuration., type: path, default: /etc/redis/redis.conf}
  ports: {description: Ports that our instances listen on., type: list, elements: int, default: []}
  adopt: {description: "Return what the distribution's Redis is, rather than refuse it.", type: bool, default: false}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Ask what the host lacks
  host_ready:
    packages: [redis-server]
    users: [redis]
    sysctl: {vm.overcommit_memory: 1}
"""
RETURN = r"""
packages: {description: Packages that are missing., returned: always, type: list}
groups: {description: Groups that are missing., returned: always, type: list}
users: {description: Users that are missing., returned: always, type: list}
systemd: {description: Whether systemd runs this host., returned: always, type: bool}
adopt: {description: "Port of the distribution's Redis that is to be taken over, or 0.", returned: always, type: int}
"""

import errno
import grp
import os
import pwd
import re
import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule

HUGEPAGES = "/sys/kernel/mm/transparent_hugepage/enabled"
UNITS = "/etc/systemd/system"
DEFAULT_PORT = 6379
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def run(*command: str) -> str:
    """Run a program; return what it printed.

    Raises:
        FileNotFoundError: if there is no such program.
        CalledProcessError: if it fails.
    """
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def packages_installed() -> set[str] | None:
    """Return the installed packages; None where dpkg does not tell."""
    try:
        told = run("dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n")
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return {line.split()[1] for line in told.splitlines() if line.startswith("installed ")}


def missing(names: list[str], find: Any) -> list[str]:
    """Return the names that `find` (getpwnam, getgrnam) does not know."""
    lacking = []
    for name in names:
        try:
            find(name)
        except KeyError:
            lacking.append(name)
    return lacking


def selected(text: str) -> str:
    """Return the word that a file of /sys marks: `always [madvise] never`."""
    found = re.search(r"\[(\w+)\]", text)
    return found[1] if found else text.strip()


def set_kernel(module: AnsibleModule, path: str, name: str, wanted: str, off: str) -> str | None:
    """Make one kernel setting so; return "name: old -> new" if it changes, warn where this host may not.

    Args:
        module: the module that warns or fails.
        path: its file below /proc/sys or /sys.
        name: how a person calls it.
        wanted: its value.
        off: the setting of ours that leaves the kernel alone.
    """
    try:
        with open(path, encoding="utf-8") as file:
            has = selected(file.read()) if path == HUGEPAGES else " ".join(file.read().split())
    except OSError as error:
        module.warn(f"{name} is not set to {wanted}: this kernel does not show it ({error.strerror}).")
        return None
    if has == wanted:
        return None
    try:
        # Opened in check mode as well: whether it may be written is what the plan has to say.
        with open(path, "w", encoding="utf-8") as file:
            if not module.check_mode:
                file.write(wanted)
    except OSError as error:
        if error.errno not in READ_ONLY:
            module.fail_json(msg=f"{name} = {wanted} is refused by the kernel: {error.strerror}")
        module.warn(
            f"{name} stays {has}, and {wanted} is due: this host may not set it, as in a container. Set it on the machine below, or say {off}."
        )
        return None
    return f"{name}: {has} -> {wanted}"


def unit_state(unit: str) -> dict[str, str]:
    """Return LoadState, ActiveState and UnitFileState of a unit."""
    told = run("systemctl", "show", "--property=LoadState,ActiveState,UnitFileState", unit)
    return dict(line.split("=", 1) for line in told.splitlines() if "=" in line)


def port_of(conf: str) -> int:
    """Return the port of a redis.conf, the default where it says none or cannot be read."""
    try:
        with open(conf, encoding="utf-8", errors="replace") as file:
            found = re.findall(r"^\s*port\s+(\d+)", file.read(), re.MULTILINE)
    except OSError:
        found = []
    return int(found[-1]) if found else DEFAULT_PORT


def judge(state: dict[str, str], port: int, ours: list[int]) -> str:
    """Return what is to be done with the distribution's Redis: `mask`, `conflict` or nothing.

    One that is stopped and disabled is in nobody's way; so is one on another port.
    """
    if state.get("LoadState") == "not-found":
        return "mask"
    starts = state.get("ActiveState") in ("active", "activating", "reloading") or state.get("UnitFileState") in (
        "enabled",
        "enabled-runtime",
        "generated",
    )
    return "conflict" if state.get("LoadState") == "loaded" and starts and port in ours else ""


def distribution(module: AnsibleModule, result: dict[str, Any]) -> str | None:
    """Deal with the distribution's Redis; return what changes."""
    unit, conf = module.params["unit"], module.params["conf"]
    state, port = unit_state(unit), port_of(conf)
    what = judge(state, port, module.params["ports"])
    if what == "mask":
        if not module.check_mode:
            os.symlink("/dev/null", os.path.join(UNITS, unit))
        return f"{unit}: masked, so that its package starts no Redis of its own"
    if what == "conflict":
        if not module.params["adopt"]:
            module.fail_json(
                msg=f"{unit} of the distribution is {state['ActiveState']} and {state['UnitFileState']} on port {port}, which is ours, "
                f"and whatever it holds is somebody's. To take its data set over, write redis_adopt_distribution: true. If nobody "
                f"needs it: systemctl disable --now {unit}. To keep both, set another redis_port."
            )
        result["adopt"] = port
    return None


def main() -> None:
    """Ask, set the kernel, and say what is missing."""
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "default": []},
            "groups": {"type": "list", "elements": "str", "default": []},
            "users": {"type": "list", "elements": "str", "default": []},
            "sysctl": {"type": "dict", "default": {}},
            "hugepages_off": {"type": "bool", "default": False},
            "unit": {"type": "str", "default": ""},
            "conf": {"type": "path", "default": "/etc/redis/redis.conf"},
            "ports": {"type": "list", "elements": "int", "default": []},
            "adopt": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    installed = packages_installed()
    result: dict[str, Any] = {
        "packages": [name for name in params["packages"] if installed is None or name not in installed],
        "groups": missing(params["groups"], grp.getgrnam),
        "users": missing(params["users"], pwd.getpwnam),
        "systemd": os.path.isdir("/run/systemd/system"),
        "adopt": 0,
    }
    changes: list[str | None] = []
    if params["unit"] and result["systemd"]:
        changes.append(distribution(module, result))
    for name, value in params["sysctl"].items():
        path = "/proc/sys/" + name.replace(".", "/")
        changes.append(set_kernel(module, path, name, str(value), "host_manage_sysctl: false"))
    if params["hugepages_off"]:
        off = "host_disable_transparent_hugepage: false"
        changes.append(set_kernel(module, HUGEPAGES, "transparent huge pages", "never", off))
    told = [change for change in changes if change]
    lacking = [f"{kind[:-1]} {name}: missing" for kind in ("packages", "groups", "users") for name in result[kind]]
    # What is missing is made by the next tasks, which a check skips.
    result["changed"] = bool(told or (module.check_mode and lacking))
    if told or lacking:
        result["diff"] = {"before": "", "after": "\n".join([*told, *lacking]) + "\n", "after_header": "the host"}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
