#!/usr/bin/python
"""Hand the mastership of a Redis over to a replica, before it is restarted. Standard library and redis-cli only."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_handover
short_description: Have Sentinel promote a replica of each instance that is a master, and wait until it has
description:
  - Tells what each instance is at run time, a master or a replica.
  - With C(act), a master that Sentinel watches and that has a replica in sync is handed over by C(SENTINEL FAILOVER),
    which unlike a restart loses no acknowledged write. Others are left as they are.
options:
  cli: {description: Path of redis-cli., type: path, required: true}
  user: {description: "User to log in as; empty where there is none.", type: str, default: ""}
  passwords: {description: Passwords to try in turn., type: list, elements: str, default: []}
  instances: {description: "The instances of this host, as redis_topology takes them.", type: list, elements: dict, required: true}
  act: {description: Whether to hand over., type: bool, default: true}
  settle: {description: "Whether to wait first until replicas follow, and masters are followed.", type: bool, default: false}
  timeout: {description: Longest wait for the promotion and for the first copy in seconds., type: int, default: 60}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Hand the broker over
  redis_handover:
    cli: /usr/bin/redis-cli
    instances: "{{ stack.redis.replicated }}"
"""
RETURN = r"""
roles: {description: "Instance to master, replica or down, as it was.", returned: always, type: dict}
promoted: {description: "Instance to the address of its new master.", returned: always, type: dict}
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redis_cli import Client, parse_info
from ansible.module_utils.redis_master import SILENT, ask

POLL = 0.2  # seconds
MASTER = "master"
REPLICA = "replica"
DOWN = "down"


def replication(params: dict[str, Any], instance: dict[str, Any]) -> dict[str, str]:
    """Return what INFO says of replication; nothing where the server is silent."""
    return parse_info(ask(params, {key: instance[key] for key in ("host", "port", "tls")}, "INFO", "replication"))


def role(info: dict[str, str]) -> str:
    """Return what a server is."""
    return {"master": MASTER, "slave": REPLICA}.get(info.get("role", ""), DOWN)


def in_sync(info: dict[str, str]) -> bool:
    """Whether a master has a replica that could take over."""
    slaves = [value for name, value in info.items() if name.startswith("slave") and "state=online" in value]
    return bool(slaves)


def has_successor(params: dict[str, Any], instance: dict[str, Any], deadline: float) -> bool:
    """Wait for a replica in sync: one that was restarted a moment ago is about to be. False where there is none at all."""
    if len(instance["members"]) < 2:
        return False
    while not in_sync(replication(params, instance)):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def hand_over(module: AnsibleModule, instance: dict[str, Any], deadline: float) -> str:
    """Have a Sentinel promote a replica; return the new master's address once the old one follows it.

    A Sentinel refuses while it still takes the replica for down, which it looks at every ten seconds: it is asked again.
    """
    params = module.params
    while True:
        refused = ""
        for sentinel in instance["sentinels"]:
            client = Client({**params, "tls": instance["tls"], **sentinel})
            for password in params["passwords"] or [""]:
                client.password = password
                try:
                    client.call("SENTINEL", "FAILOVER", instance["name"])
                except SILENT as error:
                    refused = str(error)
                    continue
                return await_promotion(module, instance, deadline)
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"No Sentinel hands {instance['name']} over ({refused}): nothing was restarted here. `make verify` tells what is wrong."
            )
        time.sleep(POLL)


def await_promotion(module: AnsibleModule, instance: dict[str, Any], deadline: float) -> str:
    """Wait until the old master is a replica in sync; return its master."""
    while True:
        info = replication(module.params, instance)
        if role(info) == REPLICA and info.get("master_link_status") == "up":
            return f"{info['master_host']}:{info['master_port']}"
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"{instance['name']} was not handed over within {module.params['timeout']} s (it is a {role(info)}): "
                "nothing was restarted. Look at Sentinel's log."
            )
        time.sleep(POLL)


def settle(module: AnsibleModule, instance: dict[str, Any], deadline: float) -> None:
    """Wait until a replica is in sync with its master; fail where it does not come to that. A lone master is settled."""
    while True:
        info = replication(module.params, instance)
        if role(info) == REPLICA and info.get("master_link_status") == "up":
            return
        if role(info) == MASTER and (in_sync(info) or time.monotonic() > deadline):
            return
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"{instance['name']} does not follow its master within {module.params['timeout']} s (it is a {role(info)}): "
                "nothing else was restarted. Look at its log."
            )
        time.sleep(POLL)


def main() -> None:
    """Tell the roles, and unless checking, hand over."""
    module = AnsibleModule(
        argument_spec={
            "cli": {"type": "path", "required": True},
            "user": {"type": "str", "default": ""},
            "passwords": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "instances": {"type": "list", "elements": "dict", "required": True},
            "act": {"type": "bool", "default": True},
            "settle": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    roles: dict[str, str] = {}
    promoted: dict[str, str] = {}
    for instance in params["instances"]:
        info = replication(params, instance)
        roles[instance["name"]] = role(info)
        deadline = time.monotonic() + (0 if module.check_mode else params["timeout"])
        if params["settle"]:
            settle(module, instance, deadline)
        due = params["act"] and instance.get("watched") and roles[instance["name"]] == MASTER
        if due and has_successor(params, instance, deadline):
            promoted[instance["name"]] = "" if module.check_mode else hand_over(module, instance, deadline)
    module.exit_json(changed=bool(promoted), roles=roles, promoted=promoted)


if __name__ == "__main__":
    main()
