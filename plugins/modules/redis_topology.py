#!/usr/bin/python
"""Attach each Redis of a host to the master of the moment. Standard library and redis-cli only."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_topology
short_description: Attach each Redis instance of a host to its master of the moment
description:
  - Who is the master is Sentinel's to say where it watches, and the settings' where it does not.
  - Redis keeps the answer in a file of its own, C(topology.conf), which CONFIG REWRITE writes after a failover; the
    rendered redis.conf never holds it. A server that does not run finds it there at its start; a running one is told by REPLICAOF.
  - A master with data is never made a replica, which would delete them.
options:
  cli: {description: Path of redis-cli., type: path, required: true}
  user: {description: "User to log in as; empty where there is none.", type: str, default: ""}
  passwords: {description: Passwords to try in turn., type: list, elements: str, default: []}
  instances:
    description: The instances of this host.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Name of the instance., type: str, required: true}
      host: {description: Address by which its own host reaches it., type: str, required: true}
      port: {description: Its port., type: int, required: true}
      address: {description: Address by which others know it., type: str, required: true}
      tls: {description: Options of redis-cli for TLS., type: list, elements: str, default: []}
      file: {description: Its topology.conf., type: path, required: true}
      replicaof: {description: 'Master in the settings as "host port"; empty for a master.', type: str, default: ""}
      watched: {description: Whether Sentinel watches it., type: bool, default: false}
      sentinels: {description: "C(host) and C(port) of each Sentinel.", type: list, elements: dict, default: []}
      members: {description: "C(host) and C(port) of each instance of this name.", type: list, elements: dict, default: []}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Attach the replica
  redis_topology:
    cli: /usr/bin/redis-cli
    instances:
      - name: broker
        host: 127.0.0.1
        port: 6379
        address: 192.0.2.12
        file: /var/lib/redis/broker/topology.conf
        replicaof: 192.0.2.11 6379
"""
RETURN = r"""
topology: {description: "Instance to its master, who told it, and what was changed.", returned: always, type: dict}
"""

import os
import subprocess
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redis_cli import Client, RefusedError, parse_info
from ansible.module_utils.redis_master import SILENT, find_master


def written(path: str) -> str | None:
    """Return the master that the file names, empty for none; None where there is no file."""
    if not os.path.isfile(path):
        return None
    with open(path, encoding="utf-8") as file:
        masters = [line.split(" ", 1)[1].strip() for line in file if line.startswith("replicaof ")]
    return masters[-1] if masters else ""


def write(path: str, master: str) -> None:
    """Write the file, whole or not at all, as the owner of its directory."""
    folder = os.path.dirname(path)
    owner = os.stat(folder)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".topology-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"replicaof {master}\n" if master else "")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o640)
        if os.getuid() == 0:
            os.chown(temporary, owner.st_uid, owner.st_gid)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def log_in(client: Client, passwords: list[str]) -> bool:
    """Find the password that holds; return whether a server answers. redis_live has told what else can be wrong."""
    for password in passwords or [""]:
        client.password = password
        try:
            client.call("PING")
        except RefusedError:
            continue
        except (ConnectionError, subprocess.TimeoutExpired):
            return False
        return True
    return False


def due_master(params: dict[str, Any], instance: dict[str, Any]) -> tuple[str, str]:
    """Return the master as redis.conf names it, empty for this very instance, and who says so."""
    if not instance["watched"]:
        return instance["replicaof"], "settings"
    server = {**params, "tls": instance["tls"]}
    found, by = find_master(server, instance["sentinels"], instance["members"], instance["name"])
    if found is None:
        return instance["replicaof"], "settings"
    own = found == (instance["address"], instance["port"])
    return "" if own else f"{found[0]} {found[1]}", by


def current_master(client: Client) -> str:
    """Return the master of a running server as redis.conf names it; empty for a master."""
    info = parse_info(client.call("INFO", "replication"))
    return f"{info['master_host']} {info['master_port']}" if info["role"] == "slave" else ""


def keys(client: Client) -> int:
    """Return the number of keys of all databases."""
    sections = [value for name, value in parse_info(client.call("INFO", "keyspace")).items() if name.startswith("db")]
    return sum(int(value.split("keys=")[1].split(",")[0]) for value in sections)


def attach(module: AnsibleModule, instance: dict[str, Any], client: Client, due: str, by: str) -> str:
    """Point a running server to its master; return what was changed, empty for nothing."""
    has = current_master(client)
    if has == due:
        return ""
    if not has and keys(client):
        if by == "sentinel":
            return ""  # an old master that has just come back: Sentinel makes it a replica
        module.fail_json(
            msg=f"{instance['name']} is a master with {keys(client)} keys here, and {due} is its master by the {by}: as its "
            f"replica it would lose them. If they may go, type `redis-cli -p {instance['port']} REPLICAOF {due}` on this host; "
            "otherwise correct redis_replicaof."
        )
    if has and by == "sentinel":
        return ""  # Sentinel is about to point it there; two that do so at once could not agree
    if not module.check_mode:
        client.call("REPLICAOF", *(due.split() or ["NO", "ONE"]))
    return f"{instance['name']}: {has or 'a master'} -> {due or 'a master'} (live, by the {by})"


def settle(module: AnsibleModule, instance: dict[str, Any]) -> dict[str, Any]:
    """Bring one instance and its file in line."""
    due, by = due_master(module.params, instance)
    client = Client({**module.params, **instance})
    done = {"master": due or "itself", "told_by": by, "changes": []}
    running = log_in(client, module.params["passwords"])
    told = attach(module, instance, client, due, by) if running else ""
    if told:
        done["changes"].append(told)
    if running:
        due = current_master(client) if not module.check_mode else due
        owned = parse_info(client.call("INFO", "server")).get("config_file") == instance["file"]
        if owned and not module.check_mode and told:
            client.call("CONFIG", "REWRITE")
    if written(instance["file"]) != due and not (told and module.check_mode):
        done["changes"].append(f"{instance['file']}: {'replicaof ' + due if due else 'a master'}")
        if not module.check_mode:
            write(instance["file"], due)
    return done


def main() -> None:
    """Settle every instance."""
    module = AnsibleModule(
        argument_spec={
            "cli": {"type": "path", "required": True},
            "user": {"type": "str", "default": ""},
            "passwords": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "instances": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "host": {"type": "str", "required": True},
                    "port": {"type": "int", "required": True},
                    "address": {"type": "str", "required": True},
                    "tls": {"type": "list", "elements": "str", "default": []},
                    "file": {"type": "path", "required": True},
                    "replicaof": {"type": "str", "default": ""},
                    "watched": {"type": "bool", "default": False},
                    "sentinels": {"type": "list", "elements": "dict", "default": []},
                    "members": {"type": "list", "elements": "dict", "default": []},
                },
            },
        },
        supports_check_mode=True,
    )
    topology: dict[str, Any] = {}
    for instance in module.params["instances"]:
        try:
            topology[instance["name"]] = settle(module, instance)
        except SILENT as error:
            module.fail_json(msg=f"{instance['name']} on port {instance['port']}: {error}")
        except FileNotFoundError as error:
            if module.check_mode:  # a host that is yet to be made
                topology[instance["name"]] = {"master": "", "told_by": "nobody", "changes": ["topology.conf"]}
                continue
            module.fail_json(msg=f"{error.filename}: it is not there")
    lines = [line for done in topology.values() for line in done["changes"]]
    diff = {"before": "", "after": "".join(f"{line}\n" for line in lines), "after_header": "who replicates whom"}
    module.exit_json(changed=bool(lines), topology=topology, **({"diff": diff} if lines else {}))


if __name__ == "__main__":
    main()
