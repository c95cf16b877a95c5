#!/usr/bin/python
"""Take backups, tell of those that are there, or prove the one to restore. Standard library and redis-cli only."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_backups
short_description: Take backups of Redis, tell of the last, or prove the one to restore
description:
  - Reads what the role backup has written to the host; the password stays there.
  - Without another option it only tells what came of the last backups.
options:
  config: {description: Configuration of the backups on the host., type: path, required: true}
  take: {description: Command that takes a backup of all instances., type: list, elements: str, default: []}
  instance: {description: Instance that C(choose) and C(count) are about., type: str, default: ""}
  choose: {description: "C(latest), the name of a backup, or the absolute path of an RDB file: it is found and proven.", type: str, default: ""}
  primary: {description: "Whether the settings have it as a master, where it does not run and cannot tell.", type: bool, default: true}
  count: {description: Wait until the instance has its data set, from its file or its master, and count its keys., type: bool, default: false}
  timeout: {description: Longest wait of C(count) in seconds., type: int, default: 60}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Take a backup now
  redis_backups:
    config: /etc/redis/backup.json
    take: [systemctl, start, backup-redis.service]
"""
RETURN = r"""
backups: {description: What came of the last backup of each instance., returned: without choose and count, type: list}
master: {description: Whether the instance is a master now., returned: with choose, type: bool}
chosen: {description: "Path, name, size, sha256, keys and expires of the backup.", returned: with choose on a master, type: dict}
keys: {description: Keys of the instance., returned: with count, type: int}
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

BLOCK = 1024 * 1024
ANSWER = 10  # seconds that a command may take
POLL = 0.1  # seconds between two looks at a condition
SHOWN = 20  # backups that a message names
EMPTY = {"name": "", "age": None, "size": 0, "keys": 0, "seconds": 0.0, "sha256": "", "copied": "", "error": ""}


def info(instance: dict[str, Any]) -> dict[str, str]:
    """Return what INFO says; nothing where the server does not answer."""
    environment = {**os.environ, **({"REDISCLI_AUTH": instance["password"]} if instance["password"] else {})}
    try:
        done = subprocess.run(
            [*instance["command"], "--no-auth-warning", "INFO"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(line.strip().split(":", 1) for line in done.stdout.splitlines() if ":" in line)


def last_of(directory: str, instance: str) -> dict[str, Any]:
    """Return what is known of the last backup of an instance."""
    found = {"instance": instance, **EMPTY}
    try:
        with open(os.path.join(directory, instance, "state.json"), encoding="utf-8") as file:
            state = json.load(file)
    except FileNotFoundError:
        return found
    except (OSError, ValueError) as error:
        return {**found, "error": f"what came of the last backup cannot be read: {error}"}
    last = state.get("last", {})
    if last:
        found.update({key: last[key] for key in EMPTY if key in last}, age=round(time.time() - last["taken"]))
    return {**found, "error": state.get("error", "")}


def journal(command: list[str]) -> str:
    """Return the last words of a unit; nothing where it was none that was started."""
    if command[0] != "systemctl":
        return ""
    asked = ["journalctl", "--unit", command[-1], "--lines", "4", "--output", "cat"]
    return " ".join(subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split())


def take(module: AnsibleModule, directory: str, names: list[str]) -> None:
    """Take backups now; fail with the sentences of those that failed."""
    done = subprocess.run(module.params["take"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    failed = [last_of(directory, name) for name in names]
    reasons = [f"{one['instance']}: {one['error']}" for one in failed if one["error"]]
    if not reasons:  # it did not come so far as to write down why
        reasons = [(done.stderr or done.stdout).strip(), journal(module.params["take"])]
    module.fail_json(msg="No backup. " + "; ".join(filter(None, reasons)), backups=failed)


def sha256(path: str) -> str:
    """Return the checksum of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def refuse(module: AnsibleModule, why: str) -> None:
    """End with a sentence, before anything was done."""
    module.fail_json(msg=f"{why} Nothing was touched.")


def find(module: AnsibleModule, folder: str) -> str:
    """Return the path of the backup that is meant."""
    wanted = module.params["choose"]
    if wanted.startswith("/"):
        if not os.path.isfile(wanted):
            refuse(module, f"There is no file {wanted} on this host.")
        return str(wanted)
    there = sorted(name for name in os.listdir(folder) if name.endswith(".rdb")) if os.path.isdir(folder) else []
    if not there:
        refuse(module, f"There is no backup in {folder}: `make backup` takes one, or copy one there with its .sha256.")
    name = there[-1] if wanted == "latest" else wanted if wanted.endswith(".rdb") else f"{wanted}.rdb"
    if name not in there:
        newest = ", ".join(list(reversed(there))[:SHOWN])
        refuse(module, f"There is no backup {name} in {folder}. Say FROM=latest, or one of: {newest}.")
    return os.path.join(folder, name)


def complaint(output: str) -> str:
    """Return the line in which redis-check-rdb says what is wrong."""
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith("[info]")]
    after = [lines[index + 1] for index, line in enumerate(lines[:-1]) if "ERROR DETECTED" in line]
    return " ".join((after or lines)[-1:])


def choose(module: AnsibleModule, config: dict[str, Any]) -> dict[str, Any]:
    """Find the backup and prove that it is whole."""
    path = find(module, os.path.join(config["directory"], module.params["instance"]))
    digest = sha256(path)
    if not module.params["choose"].startswith("/"):
        due = ""
        if os.path.isfile(f"{path}.sha256"):
            with open(f"{path}.sha256", encoding="utf-8") as file:
                due = file.read(64)
        if not due:
            refuse(module, f"{path} has no checksum beside it: {path}.sha256 is missing or empty.")
        if due != digest:
            refuse(
                module,
                f"{path} is damaged: its sha256 is {digest[:12]}… and was {due[:12]}… when it was made. Choose another.",
            )
    # redis-check-rdb is redis-server by another name.
    done = subprocess.run(
        ["redis-check-rdb", path],
        executable=shutil.which(config["server"]),
        capture_output=True,
        text=True,
        check=False,
    )
    keys, expires = (re.search(rf"(\d+) {words}", done.stdout) for words in ("keys read", "expires"))
    if done.returncode or not keys or not expires:
        refuse(
            module, f"{path} is damaged, says redis-check-rdb: {complaint(done.stdout + done.stderr)}. Choose another."
        )
    return {
        "path": path,
        "name": os.path.basename(path),
        "size": os.path.getsize(path),
        "sha256": digest,
        "keys": int(keys[1]),
        "expires": int(expires[1]),
    }


def count(module: AnsibleModule, instance: dict[str, Any]) -> int:
    """Wait for a loaded data set; return the number of keys."""
    deadline = time.monotonic() + module.params["timeout"]
    while True:
        found = info(instance)
        synced = found.get("role") == "master" or found.get("master_link_status") == "up"
        if found.get("loading") == "0" and synced:
            keys = [
                value.split("keys=")[1].split(",")[0] for name, value in found.items() if re.fullmatch(r"db\d+", name)
            ]
            return sum(map(int, keys))
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"{instance['name']} has not loaded, or copied from its master, its data set within {module.params['timeout']} s."
            )
        time.sleep(POLL)


def main() -> None:
    """Take, choose, count or tell."""
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "required": True},
            "take": {"type": "list", "elements": "str", "default": []},
            "instance": {"type": "str", "default": ""},
            "choose": {"type": "str", "default": ""},
            "primary": {"type": "bool", "default": True},
            "count": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        with open(params["config"], encoding="utf-8") as file:
            config = json.load(file)
    except OSError as error:
        if module.check_mode and not params["choose"]:
            module.exit_json(changed=bool(params["take"]), backups=[])  # a first deploy is about to write it
        module.fail_json(msg=f"{params['config']} cannot be read ({error.strerror}): `make deploy` writes it.")
    instances = {instance["name"]: instance for instance in config["instances"]}
    if (params["choose"] or params["count"]) and params["instance"] not in instances:
        module.fail_json(msg=f"{params['instance']} is not backed up on this host: {', '.join(instances)} is.")
    if params["choose"]:
        role = info(instances[params["instance"]]).get("role")
        master = role == "master" if role else params["primary"]
        module.exit_json(changed=False, master=master, **({"chosen": choose(module, config)} if master else {}))
    if params["count"]:
        module.exit_json(changed=False, keys=count(module, instances[params["instance"]]))
    if params["take"] and not module.check_mode:
        take(module, config["directory"], list(instances))
    module.exit_json(changed=bool(params["take"]), backups=[last_of(config["directory"], name) for name in instances])


if __name__ == "__main__":
    main()
