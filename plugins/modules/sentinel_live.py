#!/usr/bin/python
"""Tell a running Sentinel what it shall watch, and how. Standard library and redis-cli only."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sentinel_live
short_description: Bring a running Sentinel in line with the settings, live
description:
  - A Sentinel writes what it watches into a file of its own. That file is never templated; everything in it is told by
    SENTINEL MONITOR, SENTINEL SET and ACL SETUSER, to a new Sentinel as to one that has run for years.
  - A Sentinel that watches nothing yet is given the master of the moment, which other Sentinels or the servers name,
    and only where none of them knows one the master of the settings.
options:
  cli: {description: Path of redis-cli., type: path, required: true}
  host: {description: Address of the Sentinel., type: str, default: 127.0.0.1}
  port: {description: Port of the Sentinel., type: int, required: true}
  tls: {description: Options of redis-cli for TLS., type: list, elements: str, default: []}
  user: {description: "User to log in as; empty where there is none.", type: str, default: ""}
  passwords: {description: Passwords to try in turn., type: list, elements: str, default: []}
  users: {description: Lines of its ACL file; empty where there is none., type: list, elements: str, default: []}
  file: {description: "The file that this Sentinel writes: it alone tells the password that it shows to Redis.", type: path, required: true}
  name: {description: Name of the master., type: str, required: true}
  initial: {description: "C(host) and C(port) of the master in the settings.", type: dict, required: true}
  sentinels: {description: "C(host) and C(port) of each other Sentinel.", type: list, elements: dict, default: []}
  members: {description: "C(host) and C(port) of each server of this name.", type: list, elements: dict, default: []}
  options: {description: "What SENTINEL SET shall say, quorum included.", type: dict, required: true}
  auth_user: {description: User that the Sentinel shows to Redis., type: str, default: ""}
  auth_pass: {description: Password that the Sentinel shows to Redis., type: str, default: ""}
  timeout: {description: Longest wait for an answer in seconds., type: int, default: 30}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Watch the broker
  sentinel_live:
    cli: /usr/bin/redis-cli
    port: 26379
    file: /var/lib/sentinel/sentinel.conf
    name: broker
    initial: {host: 192.0.2.11, port: 6379}
    options: {quorum: 2, down-after-milliseconds: 5000}
"""
RETURN = r"""
running: {description: Whether the Sentinel runs., returned: always, type: bool}
live: {description: What was changed., returned: always, type: list}
restart: {description: Always empty., returned: always, type: list}
users: {description: Users that were changed., returned: always, type: list}
"""

import subprocess
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redis_cli import Client, RefusedError, change_users
from ansible.module_utils.redis_master import SILENT, find_master, pairs

POLL = 0.05


def log_in(module: AnsibleModule, client: Client) -> bool:
    """Find the password that holds; return whether a Sentinel answers."""
    refusal = ""
    for password in module.params["passwords"] or [""]:
        client.password = password
        try:
            client.call("PING")
        except RefusedError as error:
            refusal = str(error)
            continue
        except ConnectionError:
            return False
        return True
    module.fail_json(
        msg=f"What answers on {module.params['host']}:{module.params['port']} refuses the user "
        f"{module.params['user'] or 'default'} ({refusal}): it is another Sentinel, or its password was changed by hand. Stop "
        "it, set another sentinel_port, or put the valid password into redis_previous_passwords."
    )
    raise AssertionError("fail_json ends the module")


def wait_for_answer(module: AnsibleModule, client: Client) -> None:
    """Wait until the Sentinel answers."""
    deadline = time.monotonic() + module.params["timeout"]
    while not log_in(module, client):
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"No Sentinel answers on {module.params['host']}:{module.params['port']} within "
                f"{module.params['timeout']} s: look at its log."
            )
        time.sleep(POLL)


def watched(client: Client) -> dict[str, dict[str, str]]:
    """Return name → state of the masters that the Sentinel watches."""
    lines = client.call("SENTINEL", "MASTERS").split("\n")
    starts = [number for number in range(0, len(lines) - 1, 2) if lines[number] == "name"]
    ends = [*starts[1:], len(lines)]
    return {lines[start + 1]: pairs("\n".join(lines[start:end])) for start, end in zip(starts, ends)}


def login_told(path: str, name: str) -> dict[str, str]:
    """Return the login to Redis that the Sentinel's own file holds."""
    found: dict[str, str] = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words[:1] == ["sentinel"] and words[1] in ("auth-user", "auth-pass") and words[2] == name:
                found[words[1]] = words[3].strip('"')
    return found


def start_watching(module: AnsibleModule, client: Client) -> str:
    """Give the master of the moment to a Sentinel that does not know it."""
    params = module.params
    found, by = find_master(params, params["sentinels"], params["members"], params["name"])
    host, port = found or (params["initial"]["host"], int(params["initial"]["port"]))
    if not module.check_mode:
        client.call("SENTINEL", "MONITOR", params["name"], host, str(port), str(params["options"]["quorum"]))
    return f"monitor {params['name']}: {host} {port}, by the {by if found else 'settings'}"


def bring_in_line(module: AnsibleModule, client: Client) -> list[str]:
    """Watch what shall be watched, as the settings say; return what was changed."""
    params, name = module.params, module.params["name"]
    changed: list[str] = []
    before = watched(client)
    for other in sorted(set(before) - {name}):
        changed.append(f"monitor {other}: no more")
        if not module.check_mode:
            client.call("SENTINEL", "REMOVE", other)
    if name not in before:
        changed.append(start_watching(module, client))
    state = before.get(name) or ({} if module.check_mode else watched(client)[name])
    login = login_told(params["file"], name) if name in before else {}
    due = {
        **params["options"],
        **{key.replace("_", "-"): params[key] for key in ("auth_user", "auth_pass") if params[key]},
    }
    for option, value in due.items():
        has = login.get(option, "") if option.startswith("auth-") else state.get(option, "")
        if has == str(value):
            continue
        secret = option == "auth-pass"
        changed.append(f"{option}: {'(secret, another)' if secret else f'{has or repr(str())} -> {value}'}")
        if not module.check_mode:
            client.call("SENTINEL", "SET", name, option, str(value))
    return changed


def main() -> None:
    """Compare and tell."""
    module = AnsibleModule(
        argument_spec={
            "cli": {"type": "path", "required": True},
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "required": True},
            "tls": {"type": "list", "elements": "str", "default": []},
            "user": {"type": "str", "default": ""},
            "passwords": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "users": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "file": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "initial": {"type": "dict", "required": True},
            "sentinels": {"type": "list", "elements": "dict", "default": []},
            "members": {"type": "list", "elements": "dict", "default": []},
            "options": {"type": "dict", "required": True},
            "auth_user": {"type": "str", "default": ""},
            "auth_pass": {"type": "str", "default": "", "no_log": True},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    client = Client(module.params)
    where = f"Sentinel on {module.params['host']}:{module.params['port']}"
    result: dict[str, Any] = {"changed": False, "running": True, "live": [], "restart": [], "users": []}
    try:
        if not module.check_mode:
            wait_for_answer(module, client)
        elif not log_in(module, client):
            module.exit_json(**{**result, "changed": True, "running": False})
        result["live"] = bring_in_line(module, client)
        if module.params["users"]:
            result["users"] = change_users(client, module.params["users"], check=module.check_mode)
    except FileNotFoundError as error:
        if module.check_mode:  # a host that is yet to be made
            module.exit_json(**{**result, "changed": True, "running": False})
        module.fail_json(msg=f"{error.filename} is not on this host: install Redis, or correct redis_cli_binary.")
    except SILENT as error:
        module.fail_json(msg=f"{where}: {error}", live=result["live"])
    except subprocess.SubprocessError as error:
        module.fail_json(msg=f"{where} accepts connections and does not answer: {error}")
    lines = [*result["live"], *(f"user {name}: rights or password" for name in result["users"])]
    if lines:
        result["diff"] = {"before": "", "after": "\n".join(lines) + "\n", "after_header": "the running Sentinel"}
    module.exit_json(**{**result, "changed": bool(lines)})


if __name__ == "__main__":
    main()
