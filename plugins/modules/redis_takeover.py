#!/usr/bin/python
"""Take over the data set of the distribution's own Redis, losing no acknowledged write. Standard library and redis-cli."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_takeover
short_description: Carry the data set of the distribution's Redis into an instance of ours, and retire it
description:
  - Pauses writes, lets Redis save, copies the RDB file, stops the server, and masks its unit. A write that was
    acknowledged stands in the copy, whatever the server's own persistence is.
  - Its files stay where they are. A run that was cut off begins again, or ends what is left.
options:
  unit: {description: The distribution's unit., type: str, required: true}
  conf: {description: Its configuration., type: path, required: true}
  cli: {description: Path of redis-cli., type: path, required: true}
  directory: {description: Data directory of our instance., type: path, required: true}
  owner: {description: Who owns it., type: str, required: true}
  group: {description: Which group it belongs to., type: str, required: true}
  timeout: {description: Longest load or save in seconds., type: int, default: 60}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Take over
  redis_takeover:
    unit: redis-server.service
    conf: /etc/redis/redis.conf
    cli: redis-cli
    directory: /var/lib/redis/broker
    owner: redis
    group: redis
"""
RETURN = r"""
directory: {description: Data directory of the instance that takes over., returned: always, type: str}
keys: {description: Keys that the server held., returned: when it ran, type: int}
"""

import filecmp
import os
import shlex
import shutil
import subprocess
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

RDB = "dump.rdb"
PARTIAL = ".adopting.rdb"
POLL = 0.1  # seconds between two looks


def directives(text: str) -> dict[str, str]:
    """Read a redis.conf; the last of repeated directives wins, but the first address of `bind` is what counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            name, *words = shlex.split(line)
            found[name.lower()] = " ".join(words)
    return found


def control(*words: str) -> subprocess.CompletedProcess[str]:
    """Run systemctl."""
    command = ["systemctl", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Server:
    """The distribution's Redis, as redis-cli and systemctl reach it."""

    def __init__(self, module: AnsibleModule, said: dict[str, str]) -> None:
        """Remember how to reach it."""
        self.module = module
        self.unit = module.params["unit"]
        address = said.get("bind", "127.0.0.1").split()[0].lstrip("-")
        host = "127.0.0.1" if address in ("*", "0.0.0.0") else address  # noqa: S104 - it is connected to
        self.command = [module.params["cli"], "-h", host, "-p", said.get("port", "6379"), "--no-auth-warning"]
        password = said.get("requirepass", "")
        self.environment = {**os.environ, "REDISCLI_AUTH": password} if password else dict(os.environ)

    def call(self, *words: str) -> str:
        """Send a command; fail with what Redis says against it."""
        done = self.ask(*words)
        if done.startswith(("ERR", "NOAUTH", "WRONGPASS", "NOPERM", "Could not connect")):
            self.refuse(f"its Redis answers {words[0]} with: {done}")
        return done

    def ask(self, *words: str) -> str:
        """Send a command; return the answer, or the error."""
        try:
            done = subprocess.run(
                [*self.command, *words],
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=self.module.params["timeout"],
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"ERR no answer within {self.module.params['timeout']} s"
        return (done.stdout or done.stderr).strip()

    def systemctl(self, verb: str) -> None:
        """Let systemd do something with the unit; fail with its words."""
        done = control(verb, self.unit)
        if done.returncode:
            self.refuse(
                f"systemctl {verb} failed, and journalctl --unit {self.unit} says why ({done.stderr.split('.')[0]})"
            )

    def active(self) -> bool:
        """Whether it runs."""
        return control("is-active", self.unit).returncode == 0

    def wait_until_loaded(self) -> None:
        """Wait until it answers with all its data."""
        deadline = time.monotonic() + self.module.params["timeout"]
        while "loading:0" not in (told := self.ask("INFO", "persistence")):
            if time.monotonic() > deadline or told.startswith(("NOAUTH", "ERR", "NOPERM")):
                self.refuse(f"its Redis does not answer INFO: {told or 'no answer'}")
            time.sleep(POLL)

    def keys(self) -> int:
        """Return the number of its keys."""
        lines = self.call("INFO", "keyspace").splitlines()
        return sum(int(line.split("keys=")[1].split(",")[0]) for line in lines if "keys=" in line)

    def refuse(self, why: str) -> None:
        """End, with the way out; what was there is there."""
        self.module.fail_json(
            msg=f"{self.unit} cannot be taken over: {why}. Its data set is as it was. Correct that and deploy again, or carry the data over "
            f"by hand and say: systemctl disable --now {self.unit}"
        )


def carry(module: AnsibleModule, server: Server, source: str) -> int:
    """Save with writes paused, copy, stop; return the number of keys."""
    directory = module.params["directory"]
    if not server.active():
        server.systemctl("start")  # it alone knows which of its files count
    server.wait_until_loaded()
    server.call("CLIENT", "PAUSE", str(module.params["timeout"] * 1000), "WRITE")
    try:
        saved = server.call("SAVE")
        if saved != "OK" or not os.path.isfile(source):
            server.refuse(f"SAVE answers {saved}, and {source} is {'there' if os.path.isfile(source) else 'missing'}")
        keys = server.keys()
        os.makedirs(directory, exist_ok=True)
        partial = os.path.join(directory, PARTIAL)
        shutil.copyfile(source, partial)
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(partial, 0o640)
        for path in (directory, partial):
            shutil.chown(path, module.params["owner"], module.params["group"])
        server.systemctl("stop")
    finally:
        server.ask("CLIENT", "UNPAUSE")
    os.replace(partial, os.path.join(directory, RDB))
    return keys


def main() -> None:
    """Take over, or end what a run that was cut off has left."""
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "conf": {"type": "path", "required": True},
            "cli": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "owner": {"type": "str", "required": True},
            "group": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        with open(params["conf"], encoding="utf-8") as file:
            said = directives(file.read())
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{params['conf']} of {params['unit']} cannot be read: {error}")
    server = Server(module, said)
    source = os.path.join(said.get("dir", "/var/lib/redis"), said.get("dbfilename", RDB))
    target = os.path.join(params["directory"], RDB)
    carried = os.path.isfile(target) and os.path.isfile(source) and filecmp.cmp(source, target, shallow=False)
    result: dict[str, Any] = {"changed": True, "directory": params["directory"]}
    if not (carried and not server.active()):
        for name in (RDB, "appendonly.aof", "appendonlydir"):
            if os.path.exists(path := os.path.join(params["directory"], name)):
                server.refuse(f"our instance has data as well, in {path}: move away what is not needed")
        if not module.check_mode:
            result["keys"] = carry(module, server, source)
    if not module.check_mode:
        server.systemctl("disable")
        server.systemctl("mask")
    held = f", {result['keys']} keys" if "keys" in result else ""
    result["diff"] = {
        "before": f"{params['unit']} runs, or starts at the next boot\n",
        "after": f"{params['unit']} is masked; its data set stands in {target}{held}\n",
    }
    module.exit_json(**result)


if __name__ == "__main__":
    main()
