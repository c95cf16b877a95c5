"""Validate the whole inventory and hand every host its resolved settings. Run once per play, on the controller."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# `ansible-playbook site.yml` must work without PYTHONPATH.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from settings.inventory import read_hosts  # noqa: E402
from settings.loader import PREFIXES, build, split_addresses  # noqa: E402
from settings.problem import InventoryRefused  # noqa: E402
from settings.resolved import resolve_all  # noqa: E402


class ActionModule(ActionBase):
    """Return `hosts`: host name → resolved settings, and `findings`: warnings and accepted risks."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    # Once for all hosts, whatever `run_once` says: the rules see the whole fleet.
    BYPASS_HOST_LOOP = True

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
        result.update(
            changed=False,
            findings=[problem.as_text() for problem in loaded.findings],
            hosts=resolve_all(loaded.fleet),
            _ansible_verbose_override=True,
        )
        return result
