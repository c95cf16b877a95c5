#!/usr/bin/python
"""Before a stopped Redis starts with appendonly on: make sure that its append-only file holds the data set."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_adopt
short_description: Carry an RDB file over into the append-only file before a start
description:
  - A Redis that starts with appendonly on reads the append-only file only, even beside a good RDB file. Where appendonly
    was off when it stopped, that file is missing or stale, and the server would start empty or with old tasks.
  - Loads the RDB file into a server that listens nowhere, turns appendonly on there, and stops it again.
  - A stale append-only file is moved aside, never deleted.
options:
  server: {description: Path of redis-server., type: path, required: true}
  cli: {description: Path of redis-cli., type: path, required: true}
  directory: {description: Data directory of the instance., type: path, required: true}
  written: {description: "redis.conf as the last deploy left it on the host; may be missing.", type: path, default: ""}
  config: {description: The rendered redis.conf that is about to be written., type: str, required: true}
  timeout: {description: Longest time in seconds to load and to write the data set., type: int, default: 60}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Carry the data set over
  redis_adopt:
    server: /usr/bin/redis-server
    cli: /usr/bin/redis-cli
    directory: /var/lib/redis/broker
    written: /etc/redis/broker.conf
    config: "{{ rendered }}"
"""
RETURN = r"""
keys: {description: Keys that were carried over., returned: when changed, type: int}
"""

import os
import shlex
import subprocess
import tempfile
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

POLL = 0.05
FILE = "appendonly.aof"
FOLDER = "appendonlydir"


def directive(text: str, name: str, default: str) -> str:
    """Return a directive of a redis.conf."""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0] == name:
            return " ".join(words[1:])
    return default


def stale_files(directory: str) -> list[str]:
    """Return the append-only files that are there."""
    return [path for name in (FILE, FOLDER) if os.path.exists(path := os.path.join(directory, name))]


def ask(cli: str, socket: str, *words: str) -> str:
    """Ask the server behind a socket."""
    return subprocess.run([cli, "-s", socket, *words], capture_output=True, text=True, check=False).stdout.strip()


def info(cli: str, socket: str) -> dict[str, str]:
    """Return the section persistence."""
    return dict(
        line.strip().split(":", 1) for line in ask(cli, socket, "INFO", "persistence").splitlines() if ":" in line
    )


def wait(module: AnsibleModule, process: Any, what: str, ready: Any) -> None:
    """Wait for a condition of the server; fail with the end of what it printed."""
    deadline = time.monotonic() + module.params["timeout"]
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            printed = process.communicate()[0][-1500:]
            module.fail_json(
                msg=f"{module.params['directory']}: {what} was not reached; nothing was deleted. Redis said:\n{printed}"
            )
        time.sleep(POLL)


def carry_over(module: AnsibleModule, directory: str) -> int:
    """Load the RDB file and write it as an append-only file; return the number of keys."""
    params = module.params
    owner = os.stat(directory)
    identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, owner.st_uid, owner.st_gid)
        socket = os.path.join(folder, "adopt.sock")
        command = [params["server"], "--dir", directory, "--dbfilename", "dump.rdb", "--appendonly", "no", "--save", ""]
        command += ["--appendfilename", FILE, "--port", "0", "--unixsocket", socket, "--daemonize", "no"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, umask=0o027, **identity
        )
        wait(module, process, "a loaded data set", lambda: info(params["cli"], socket).get("loading") == "0")
        keys = sum(
            int(line.split("keys=")[1].split(",")[0])
            for line in ask(params["cli"], socket, "INFO", "keyspace").splitlines()
            if "keys=" in line
        )
        ask(params["cli"], socket, "CONFIG", "SET", "appendonly", "yes")

        def complete() -> bool:
            found = info(params["cli"], socket)
            idle = found.get("aof_rewrite_in_progress") == found.get("aof_rewrite_scheduled") == "0"
            return idle and found.get("aof_last_bgrewrite_status") == "ok" and int(found.get("aof_base_size", 0)) > 0

        wait(module, process, "a complete append-only file", complete)
        ask(params["cli"], socket, "SHUTDOWN", "NOSAVE")
        process.communicate(timeout=params["timeout"])
    return keys


def main() -> None:
    """Find out whether there is something to carry over, and do it."""
    module = AnsibleModule(
        argument_spec={
            "server": {"type": "path", "required": True},
            "cli": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "written": {"type": "path", "default": ""},
            "config": {"type": "str", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    directory = params["directory"]
    if directive(params["config"], "appendonly", "no") == "no" or not os.path.isdir(directory):
        module.exit_json(changed=False)
    before = "no"
    if os.path.isfile(params["written"]):
        with open(params["written"], encoding="utf-8") as file:
            before = directive(file.read(), "appendonly", "no")
    snapshot = os.path.join(directory, "dump.rdb")
    stale = stale_files(directory)
    if before == "yes" or not (stale or os.path.isfile(snapshot)):
        module.exit_json(changed=False)
    if module.check_mode:
        module.exit_json(changed=True)
    stamp = time.strftime("%Y%m%dT%H%M%S")
    for path in stale:
        os.rename(path, f"{path}.stale-{stamp}")
    keys = carry_over(module, directory) if os.path.isfile(snapshot) else 0
    module.exit_json(changed=True, keys=keys)


if __name__ == "__main__":
    main()
