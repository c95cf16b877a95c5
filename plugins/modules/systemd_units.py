#!/usr/bin/python
"""Bring systemd's units in line with their files. Standard library only."""

from __future__ import annotations

DOCUMENTATION = r"""
module: systemd_units
short_description: Enable, start, restart and stop units of systemd until they are as their files say
description:
  - All units of a role in one round trip. Reloads systemd where a file changed.
  - A running unit is stale where one of its files is newer than its start, so a run that was cut off is made good by
    the next. Stale units are restarted one at a time, those of Celery drained first and waited for afterwards.
options:
  units: {description: "Units that must run, without .service; a timer by its whole name.", type: list, elements: str, default: []}
  owned: {description: Patterns of units that the role owns; those that are not listed are stopped and disabled.,
    type: list, elements: str, default: []}
  restart: {description: Units to restart in any case., type: list, elements: str, default: []}
  roll: {description: Whether to restart stale units; otherwise they are only named., type: bool, default: true}
  await: {description: Whether to wait for every node and not only for those that were started., type: bool, default: false}
  timeout: {description: Longest wait for a start in seconds., type: int, default: 60}
  host: {description: "Name of the host in the names of its Celery nodes; empty where nothing here is one.", type: str, default: ""}
  ask: {description: The command celery-node., type: list, elements: str, default: []}
  environment: {description: Environment file of that command., type: path}
  drain_timeout: {description: Longest drain in seconds., type: int, default: 60}
  ready_timeout: {description: Longest wait for a node in seconds., type: int, default: 60}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Run the workers
  systemd_units:
    units: [celery-worker@fast-1]
    owned: [celery-worker@*]
"""
RETURN = r"""
started: {description: Units that were started or restarted., returned: always, type: list}
removed: {description: Units that were stopped for good., returned: always, type: list}
stale: {description: Units that run as an older file says., returned: always, type: list}
drained: {description: What the drains came to., returned: always, type: list}
states: {description: Unit to its state and what systemd says of it., returned: always, type: dict}
"""

import os
import subprocess
import time
from fnmatch import fnmatch

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.celery_nodes import OPTIONS, Nodes

POLL = 0.1
PROPERTIES = (
    "Id",
    "ActiveState",
    "SubState",
    "Result",
    "MainPID",
    "UnitFileState",
    "NeedDaemonReload",
    "FragmentPath",
    "DropInPaths",
    "ActiveEnterTimestampMonotonic",
    "ActiveEnterTimestamp",
)
SUFFIX = ".service"
TIMER = ".timer"
LOG_LINES = 20


def systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    """Run systemctl; its exit code is the caller's to judge."""
    return subprocess.run(["systemctl", "--no-pager", *words], capture_output=True, text=True, check=False)


def unit_of(name: str) -> str:
    """Return the name as systemd has it."""
    return name if name.endswith(TIMER) else name + SUFFIX


def show(names: list[str]) -> dict[str, dict[str, str]]:
    """Return unit to its properties, asked in one go."""
    if not names:
        return {}
    answer = systemctl("show", f"--property={','.join(PROPERTIES)}", *map(unit_of, names)).stdout
    found = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in answer.split("\n\n")]
    return dict(zip(names, found))


def known(patterns: list[str]) -> list[str]:
    """Return the units that systemd has loaded or enabled, as far as a pattern matches."""
    names = set()
    for words in (["list-units", "--all"], ["list-unit-files", "--state=enabled"]):
        answer = systemctl(*words, "--plain", "--no-legend", "--type=service", *(p + SUFFIX for p in patterns))
        names |= {line.split()[0] for line in answer.stdout.splitlines() if line.split()}
    plain = {name[: -len(SUFFIX)] for name in names if name.endswith(SUFFIX)}
    return sorted(name for name in plain if not name.endswith("@") and any(fnmatch(name, p) for p in patterns))


def runs(unit: dict[str, str]) -> bool:
    """Whether a unit runs, or is about to again."""
    return unit.get("ActiveState") in ("active", "activating", "reloading")


def is_stale(unit: dict[str, str]) -> bool:
    """Whether a running unit was started before its files were written."""
    if not runs(unit):
        return False
    if unit.get("NeedDaemonReload") == "yes":
        return True
    entered = int(unit.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    started = time.time() - (time.clock_gettime(time.CLOCK_MONOTONIC) - entered)
    paths = [unit.get("FragmentPath", ""), *unit.get("DropInPaths", "").split()]
    return any(os.path.exists(path) and os.stat(path).st_mtime > started for path in paths)


def journal(name: str) -> str:
    """Return the end of a unit's log."""
    words = ["journalctl", "--no-pager", "--output=cat", f"--lines={LOG_LINES}", f"--unit={unit_of(name)}"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


class Units:
    """The units of one role on this host."""

    def __init__(self, module: AnsibleModule) -> None:
        """Ask systemd how things are."""
        self.module = module
        self.params = module.params
        self.nodes = Nodes(module.params)
        self.now = show(self.params["units"])
        owned = known(self.params["owned"]) if self.params["owned"] else []
        spare = [name for name in owned if name not in self.params["units"]]
        self.spare = {
            name: unit
            for name, unit in show(spare).items()
            if runs(unit) or unit.get("UnitFileState") in ("enabled", "enabled-runtime")
        }
        self.stale = [
            name for name, unit in self.now.items() if is_stale(unit) or (name in self.params["restart"] and runs(unit))
        ]
        self.down = [name for name, unit in self.now.items() if not runs(unit)]
        self.disabled = [
            name for name, unit in self.now.items() if unit.get("UnitFileState") not in ("enabled", "static")
        ]
        self.reload = any(unit.get("NeedDaemonReload") == "yes" for unit in {**self.now, **self.spare}.values())
        self.drained: list[str] = []

    def must(self, *words: str) -> None:
        """Run systemctl; fail with the end of the log of the unit that it is about."""
        done = systemctl(*words)
        if done.returncode:
            name = words[-1][: -len(SUFFIX)] if words[-1].endswith(SUFFIX) else words[-1]
            self.module.fail_json(
                msg=f"systemctl {' '.join(words)} failed: {done.stderr.strip()}\nThe end of its log:\n{journal(name)}"
            )

    def bring_in_line(self) -> list[str]:
        """Do what has to be done; return the units that were started."""
        if self.reload or self.down or self.disabled:
            systemctl("daemon-reload")
        for name in self.spare:
            self.stop(name)
        if self.disabled:
            self.must("enable", *map(unit_of, self.disabled))
        for name in self.down:
            self.must("start", "--no-block", unit_of(name))
        for name in self.down:
            self.await_start(name)
        started = list(self.down)
        for name in self.stale if self.params["roll"] else []:
            self.drain(name)
            self.must("restart", unit_of(name))
            self.await_start(name)
            self.await_ready(name, started=True)
            started.append(name)
        for name in self.params["units"] if self.params["await"] else self.down:
            if name not in self.stale:  # by its old file it may reach nobody: it is judged behind its restart
                self.await_ready(name, started=name in self.down)
        return started

    def stop(self, name: str) -> None:
        """End a unit that the settings no longer name."""
        self.drain(name)
        systemctl("disable", "--now", name + SUFFIX)
        if runs(show([name])[name]):
            self.must("stop", name + SUFFIX)
        systemctl("reset-failed", name + SUFFIX)

    def drain(self, name: str) -> None:
        """Drain a unit's node, and remember what was said."""
        said = self.nodes.drain(name)
        if said:
            self.drained.append(said)

    def await_start(self, name: str) -> None:
        """Wait until a unit is active; fail with the end of its log."""
        deadline = time.monotonic() + self.params["timeout"]
        while True:
            unit = show([name])[name]
            if unit.get("ActiveState") == "active":
                return
            crashed = unit.get("Result") not in ("success", "") and unit.get("SubState") in ("auto-restart", "failed")
            if crashed or unit.get("ActiveState") == "failed" or time.monotonic() > deadline:
                self.module.fail_json(
                    msg=f"{name} does not run ({unit.get('ActiveState')}, {unit.get('Result')}); the end of its log:\n{journal(name)}"
                )
            time.sleep(POLL)

    def await_ready(self, name: str, *, started: bool) -> None:
        """Wait until a unit's node answers and, where it was started, consumes."""
        why = self.nodes.ready(name, started=started)
        if why:
            self.module.fail_json(msg=f"{name} runs and does not work: {why}; the end of its log:\n{journal(name)}")


def states(names: list[str]) -> dict[str, dict[str, str]]:
    """Return the state of each unit that must run."""
    return {
        name: {
            "state": "running"
            if unit.get("SubState") == "running" or (name.endswith(TIMER) and unit.get("ActiveState") == "active")
            else f"{unit.get('ActiveState')} ({unit.get('SubState')})",
            "detail": f"pid {unit['MainPID']}, since {unit['ActiveEnterTimestamp']}"
            if unit.get("MainPID", "0") != "0"
            else "",
        }
        for name, unit in show(names).items()
    }


def main() -> None:
    """Compare, and unless checking, bring in line."""
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "str", "default": []},
            "owned": {"type": "list", "elements": "str", "default": []},
            "restart": {"type": "list", "elements": "str", "default": []},
            "roll": {"type": "bool", "default": True},
            "await": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 60},
            **OPTIONS,
        },
        supports_check_mode=True,
    )
    units = Units(module)
    wanted = [*units.down, *(units.stale if module.params["roll"] or module.check_mode else [])]
    changed = bool(wanted or units.disabled or units.spare)
    started = wanted if module.check_mode else units.bring_in_line()
    module.exit_json(
        changed=changed,
        started=started,
        removed=sorted(units.spare),
        stale=units.stale,
        drained=units.drained,
        states=states(module.params["units"]),
    )


if __name__ == "__main__":
    main()
