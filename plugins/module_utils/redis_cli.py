"""Talking to Redis and to Sentinel by redis-cli: what the modules share. Standard library only."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

SCRATCH = "ansible-compare"
ANSWER = 10  # seconds that a command may take


class RefusedError(Exception):
    """Redis answered with an error."""


class Client:
    """redis-cli, with the password in the environment: arguments show in ps."""

    def __init__(self, params: dict[str, Any], patience: int = ANSWER) -> None:
        """Remember how to reach the server: `cli`, `host`, `port`, `tls`, `user`, and the seconds to wait for an answer."""
        self.patience = patience
        self.cli = params["cli"]
        self.reach(params["host"], params["port"], params["tls"])
        self.user = params["user"]
        self.password = ""

    def reach(self, host: str, port: int, tls: list[str]) -> None:
        """Ask there from now on."""
        self.command = [self.cli, "-h", host, "-p", str(port), *tls]

    def call(self, *words: str) -> str:
        """Send one command; return the raw answer.

        Raises:
            RefusedError: on an error of Redis; redis-cli itself exits 0 then.
            ConnectionError: if nobody answers.
        """
        login = ["--user", self.user] if self.user and self.password else []
        environment = {**os.environ, "REDISCLI_AUTH": self.password} if self.password else dict(os.environ)
        # The last word comes by stdin (-x), so that no secret stands in the arguments.
        arguments = ["-x", *words[:-1]] if len(words) > 1 else [*words]
        done = subprocess.run(
            [*self.command, "--no-auth-warning", *login, *arguments],
            input=words[-1] if len(words) > 1 else "",
            env=environment,
            capture_output=True,
            text=True,
            timeout=self.patience,
            check=False,
        )
        answer = done.stdout.rstrip("\n")
        trouble = done.stderr.strip()
        if "Could not connect" in trouble or "Could not connect" in answer or "Connection" in trouble:
            raise ConnectionError(trouble or answer)
        if re.match(
            r"(ERR|NOAUTH|WRONGPASS|NOPERM|MISCONF|OOM|LOADING|NOSCRIPT|READONLY|EXECABORT|INVALID|NOQUORUM|NOGOODSLAVE) ",
            answer,
        ):
            raise RefusedError(answer)
        if "AUTH failed" in trouble:
            raise RefusedError(trouble)
        if done.returncode or "rotocol error" in trouble:
            raise ConnectionError(trouble or answer)
        return answer


def parse_info(text: str) -> dict[str, str]:
    """Read an answer of INFO."""
    return dict(line.strip().split(":", 1) for line in text.splitlines() if ":" in line)


def acl_rules(client: Client, name: str) -> str:
    """Return the rules of a user as Redis writes them, without its name."""
    for line in client.call("ACL", "LIST").split("\n"):
        words = line.split(" ", 2)
        if words[:2] == ["user", name]:
            return words[2]
    return ""


def set_user(client: Client, name: str, rules: str) -> None:
    """ACL SETUSER in one command: it is atomic and disconnects nobody. Rules hold hashes, never passwords."""
    client.call("ACL", "SETUSER", name, "reset", *rules.split())


def change_users(client: Client, lines: list[str], *, check: bool) -> list[str]:
    """Compare, and unless checking set, the users of ACL lines; return the names of those that differed."""
    wanted = {line.split()[1]: line.split(" ", 2)[2] for line in lines}
    changed = []
    try:
        for name, rules in wanted.items():
            set_user(client, SCRATCH, rules)
            if acl_rules(client, SCRATCH) != acl_rules(client, name):
                changed.append(name)
    finally:
        client.call("ACL", "DELUSER", SCRATCH)
    present = {line.split()[1] for line in client.call("ACL", "LIST").split("\n")}
    gone = sorted(present - set(wanted) - {SCRATCH})
    if not check:
        for name in changed:
            set_user(client, name, wanted[name])
        for name in gone:
            client.call("ACL", "DELUSER", name)
    return changed + gone
