"""Collect what a run changed, or would change, into one JSON file: the plan, and the evidence that verify reads.

Written to the file that STACK_PLAN names; silent without it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: plan
type: aggregate
short_description: Writes what changed, or would change, to the file that STACK_PLAN names
description: Files, services and live settings per host, from the results of this repository's modules.
"""


class CallbackModule(CallbackBase):
    """Pick the results of our own modules."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "plan"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.hosts: dict[str, dict[str, Any]] = {}
        self.failed = False
        self.reasons: list[str] = []

    def _host(self, name: str) -> dict[str, Any]:
        empty: dict[str, Any] = {"files": [], "services": [], "live": [], "restart": [], "tasks": [], "backups": []}
        return self.hosts.setdefault(name, empty)

    def _collect(self, host: dict[str, Any], result: dict[str, Any]) -> None:
        files = result.get("files", {})
        for path, changed in files.items() if isinstance(files, dict) else ():  # Ansible's own find has a list
            host["files"].append({"path": path, "state": "differs" if changed else "same"})
        for name, state in result.get("states", {}).items():
            host["services"].append({"name": name, "state": state["state"], "detail": state["detail"]})
        if "started" in result:
            host["restart"] += result["started"]
        host["backups"] += result.get("backups", [])
        if "running" in result:
            host["live"] += [*result["live"], *(f"user {name}" for name in result["users"])]
            host["restart"] += result["restart"]

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep what a task of ours reports."""
        name = result.host.get_name()
        host, outcome = self._host(name), result.result
        for item in outcome.get("results") or [outcome]:
            if isinstance(item, dict):
                self._collect(host, item)
        if outcome.get("changed"):
            host["tasks"].append(result.task.get_name())

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Remember that the run is not whole, and why."""
        self._host(result.host.get_name())
        if not ignore_errors:
            self.failed = True
            items = [item for item in result.result.get("results", []) if isinstance(item, dict) and item.get("failed")]
            self.reasons += [f"{result.host.get_name()}: {item.get('msg')}" for item in items or [result.result]]

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Remember that the run is not whole, and why."""
        self.failed = True
        self._host(result.host.get_name())
        self.reasons.append(f"{result.host.get_name()}: {result.result.get('msg')}")

    def _show_backups(self) -> None:
        """One line per instance: what `make backup` is asked for."""
        rows = [(name, one) for name, host in sorted(self.hosts.items()) if host["tasks"] for one in host["backups"]]
        width = max((len(f"{name} {one['instance']}") for name, one in rows), default=0)
        for name, one in rows:
            copy = f"copied to {one['copied']}" if one["copied"] else "no copy off the host"
            self._display.display(
                f"{f'{name} ' + one['instance']:<{width}}  {one['name']}  {one['size']:>12,} bytes  {one['keys']:>9,} keys  "
                f"{one['seconds']:>6.1f} s  sha256 {one['sha256'][:12]}  {copy}"
            )

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write the file, and one line for a person."""
        # Last, where a person looks first: why it failed, and what helps.
        for reason in self.reasons:
            self._display.display(reason, color="red")
        target = os.environ.get("STACK_PLAN")
        if not target:
            return
        changed = sum(bool(host["tasks"]) for host in self.hosts.values())
        path = Path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: verify waits for the file while it is made.
        partial = path.with_suffix(".partial")
        partial.write_text(
            json.dumps({"complete": not self.failed, "changed_hosts": changed, "hosts": self.hosts}, indent=2) + "\n",
            encoding="utf-8",
        )
        partial.replace(path)
        if self.failed:
            return
        self._show_backups()
        for name, host in sorted(self.hosts.items()):
            files = sum(file["state"] != "same" for file in host["files"])
            live = ", ".join(host["live"]) or "nothing"
            restart = ", ".join(host["restart"]) or "nothing"
            if host["tasks"]:
                self._display.display(
                    f"{name}: {files} file(s); live: {live}; by restart: {restart}; {len(host['tasks'])} task(s) in all"
                )
            else:
                self._display.display(f"{name}: as the settings say")
