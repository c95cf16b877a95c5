"""Validate the whole inventory and hand every host its resolved settings. Run once per play, on the controller."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# `ansible-playbook site.yml` must work without PYTHONPATH.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from settings.inventory import read_hosts
from settings.loader import PREFIXES, build, split_addresses
from settings.problem import InventoryRefused
from settings.resolved import resolve_all
from settings.secrets import write_private


class ActionModule(ActionBase):
    """Return `hosts`: host name → resolved settings, and `findings`: warnings and accepted risks."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read `hostvars`, judge them, resolve them."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        groups = {name: members for name, members in variables["groups"].items() if name != "ungrouped"}
        hosts = read_hosts(variables["hostvars"], groups, (*PREFIXES, "ansible_host"))
        try:
            loaded = build(*split_addresses(hosts))
        except InventoryRefused as refused:
            raise AnsibleActionFail(f"The inventory is refused, nothing was touched.\n{refused}") from None
        hosts = resolve_all(loaded.fleet)
        if "stack_stage_root" in variables:
            # Beside the staged files, for what reads settings rather than files: tests, load, compose.
            folder = Path(str(self._templar.template(variables["stack_stage_root"])))
            write_private(folder / "settings.json", json.dumps(hosts, indent=2) + "\n")
        result.update(
            changed=False,
            findings=[problem.as_text() for problem in loaded.findings],
            hosts=hosts,
            _ansible_verbose_override=True,
        )
        return result
