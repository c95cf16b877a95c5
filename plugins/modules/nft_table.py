#!/usr/bin/python
"""Make one table of nftables what a file says, atomically, and leave all others alone. Standard library only."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nft_table
short_description: Make one table of nftables what a file says
description:
  - The rules are loaded into a network namespace that is thrown away, and listed there; that listing is compared with the
    one of the running kernel. So every difference is found, one made by hand as well, and shown as nft itself writes it.
  - A difference is mended by reloading the unit that loads the table at boot, which replaces it in one transaction.
options:
  table: {description: "Name of the table, of the family inet.", type: str, required: true}
  unit: {description: Unit that loads it; its file is written already., type: str, required: true}
  written: {description: Whether its file or the unit's was written just now., type: bool, default: false}
  rules: {description: "The file's content; empty removes the table.", type: str, default: ""}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Load the table
  nft_table:
    table: redis_celery
    unit: stack-firewall.service
    rules: "{{ rendered }}"
"""
RETURN = r"""
table: {description: The table as it is or would be listed., returned: always, type: str}
"""

import shutil
import subprocess

from ansible.module_utils.basic import AnsibleModule

PATHS = "/usr/sbin:/usr/bin:/sbin:/bin"


def run(*command: str, text: str = "") -> tuple[int, str, str]:
    """Run a program; return its exit code, what it printed, and what it complained of."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr.strip()


def listed(nft: str, table: str) -> str:
    """Return the running kernel's table without its counters; empty where there is none."""
    code, printed, _ = run(nft, "--stateless", "list", "table", "inet", table)
    return printed if code == 0 else ""


def would_be(module: AnsibleModule, nft: str) -> str:
    """Return how nft lists the rules once they are loaded, from a namespace of their own."""
    script = f"{nft} -f - && exec {nft} --stateless list table inet {module.params['table']}"
    code, printed, trouble = run("unshare", "--net", "sh", "-c", script, text=module.params["rules"])
    if code:
        module.fail_json(msg=f"nft does not take the rules of the table {module.params['table']}: {trouble}")
    return printed


def load(module: AnsibleModule) -> None:
    """Let systemd load the table, so that it knows that the unit runs."""
    for command in (("daemon-reload",), ("reload-or-restart", module.params["unit"])):
        code, _, trouble = run("systemctl", *command)
        if code:
            module.fail_json(msg=f"systemctl {' '.join(command)}: {trouble}. See journalctl -u {module.params['unit']}")


def remove(module: AnsibleModule, nft: str | None) -> None:
    """Delete the table, and let systemd forget a unit whose file is gone."""
    run("systemctl", "stop", module.params["unit"])
    if nft:
        run(nft, "delete", "table", "inet", module.params["table"])
    run("systemctl", "daemon-reload")


def main() -> None:
    """Compare, and make it so."""
    module = AnsibleModule(
        argument_spec={
            "table": {"type": "str", "required": True},
            "unit": {"type": "str", "required": True},
            "written": {"type": "bool", "default": False},
            "rules": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    nft = shutil.which("nft", path=PATHS)
    if params["rules"] and nft is None and not module.check_mode:
        module.fail_json(msg="There is no nft on this host: install nftables, or let host_manage_packages do it.")
    before = listed(nft, params["table"]) if nft else ""
    # A plan on a host that has no nft yet shows the file.
    wanted = (would_be(module, nft) if nft else params["rules"]) if params["rules"] else ""
    active = run("systemctl", "is-active", params["unit"])[0] == 0
    changed = before != wanted or active != bool(wanted) or params["written"]
    if changed and not module.check_mode:
        if wanted:
            load(module)
        else:
            remove(module, nft)
        now = listed(nft, params["table"]) if nft else ""
        if now != wanted:
            module.fail_json(msg=f"The table {params['table']} was loaded and reads otherwise than written:\n{now}")
    diff = {"before": before, "after": wanted, "before_header": "nftables", "after_header": "nftables"}
    module.exit_json(changed=changed, table=wanted, diff=diff if before != wanted else {})


if __name__ == "__main__":
    main()
