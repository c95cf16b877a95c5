#!/usr/bin/python
"""Tell a running Redis what its new configuration says, without a restart. Standard library and redis-cli only."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_live
short_description: Apply a redis.conf and an ACL file to the running server, live
description:
  - Compares CONFIG GET with the directives of a rendered redis.conf and sets what may be set live by CONFIG SET.
  - Turning appendonly on waits until the file is complete, so that no restart can find it empty.
  - Users are compared by letting Redis itself read the rules into a scratch user, and changed by ACL SETUSER, which
    unlike ACL LOAD disconnects nobody.
  - Certificates are compared with the one that the server shows, and read anew without a restart; so is the authority,
    which no server shows.
  - A server that the new file does not reach any more is looked for where the file on the host says.
  - What only a restart can change is returned in C(restart). A server that does not run is left alone.
options:
  cli: {description: Path of redis-cli., type: path, required: true}
  host: {description: Address., type: str, default: 127.0.0.1}
  port: {description: Port., type: int, required: true}
  tls: {description: Options of redis-cli for TLS., type: list, elements: str, default: []}
  user: {description: "User to log in as; empty where there is none.", type: str, default: ""}
  passwords: {description: Passwords to try in turn., type: list, elements: str, default: []}
  config: {description: The rendered redis.conf., type: str, required: true}
  written: {description: "redis.conf as the last deploy left it on the host; may be missing.", type: path, default: ""}
  users: {description: The rendered ACL lines; empty where there is no ACL file., type: list, elements: str, default: []}
  live: {description: Directives that CONFIG SET may change., type: list, elements: str, required: true}
  oldest: {description: "Oldest server that the file is written for, as major.minor.", type: str, required: true}
  must_run: {description: Wait for the server and fail unless all is as written., type: bool, default: false}
  timeout: {description: Longest wait for a start or an AOF in seconds., type: int, default: 60}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Tell the running Redis
  redis_live:
    cli: /usr/bin/redis-cli
    port: 6379
    config: "{{ rendered }}"
    live: [maxmemory]
    oldest: "7.0"
"""
RETURN = r"""
running: {description: Whether the server runs., returned: always, type: bool}
live: {description: Settings that were changed live., returned: always, type: list}
restart: {description: Settings that wait for a restart., returned: always, type: list}
users: {description: Users that were changed., returned: always, type: list}
version: {description: Version of the server., returned: when it runs, type: str}
"""

import os
import shlex
import socket
import ssl
import subprocess
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.redis_cli import ANSWER, Client, RefusedError, change_users, parse_info

SECRET = ("requirepass", "masterauth", "tls-key-file-pass")
# Never asked by CONFIG GET, or only meaningful at start.
NOT_ASKED = ("replicaof", "include")
POLL = 0.05  # seconds between two looks at a condition


def directives(text: str) -> dict[str, str]:
    """Read the directives of a redis.conf; repeated ones are joined, as CONFIG GET shows them."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, *words = shlex.split(line)
        value = " ".join(words)
        found[name] = f"{found[name]} {value}".strip() if name in found else value
    return found


def same(name: str, wanted: str, has: str) -> bool:
    """Whether CONFIG GET's answer means what the file says."""
    if name == "client-output-buffer-limit":
        return wanted in has
    return wanted == has


def old_way(params: dict[str, Any]) -> tuple[str, int, list[str]] | None:
    """Return host, port and TLS options by which the file on the host is reached; none where it is the new way."""
    if not os.path.isfile(params["written"]):
        return None
    with open(params["written"], encoding="utf-8") as file:
        was = directives(file.read())
    binds = [word.lstrip("-") for word in was.get("bind", "127.0.0.1").split()]
    host = params["host"] if params["host"] in binds else binds[0].replace("*", "127.0.0.1").replace("::127", "127")
    if was.get("port", "6379") != "0":
        way = (host, int(was.get("port", "6379")), [])
    else:
        options = (("--cacert", "tls-ca-cert-file"), ("--cert", "tls-cert-file"), ("--key", "tls-key-file"))
        files = [word for option, name in options if was.get(name) for word in (option, was[name])]
        way = (host, int(was.get("tls-port", "0")), ["--tls", *files])
    return None if way == (params["host"], params["port"], params["tls"]) else way


def find(module: AnsibleModule, client: Client) -> bool:
    """Find the server, where the new file says or where the old one did; return whether one runs."""
    params = module.params
    former = old_way(params)
    client.reach(params["host"], params["port"], params["tls"])
    if former is None:
        return log_in(module, client)
    client.reach(*former)
    try:
        client.call("PING")
    except RefusedError:
        pass  # it answers
    except ConnectionError:
        client.reach(params["host"], params["port"], params["tls"])
    return log_in(module, client)


def log_in(module: AnsibleModule, client: Client) -> bool:
    """Find the password that holds; return whether a server runs."""
    where = f"{module.params['host']}:{module.params['port']}"
    refusals = []
    for password in module.params["passwords"] or [""]:
        client.password = password
        try:
            client.call("PING")
        except RefusedError as error:
            if str(error).startswith("LOADING"):
                return True
            refusals.append(str(error))
            continue
        except ConnectionError as error:
            if "refused" in str(error) or "No such file" in str(error):
                return False
            if "negotiate a TLS" in str(error) or "Invalid" in str(error):
                module.fail_json(
                    msg=f"The TLS files on this host cannot be used to ask {where} ({str(error).splitlines()[0]}): certificate, key and authority must be there and belong together. Correct what tls_source brings; a running Redis goes on with what it has."
                )
            module.fail_json(
                msg=f"Something answers on {where} that is no Redis ({' '.join(str(error).split())}): stop it, or set another redis_port."
            )
        return True
    module.fail_json(
        msg=f"A Redis answers on {where} and refuses the user {module.params['user'] or 'default'} ({refusals[-1]}): "
        "it is another one, or its password was changed by hand. Stop it, set another redis_port, or put the valid "
        "password into redis_previous_passwords."
    )
    raise AssertionError("fail_json ends the module")


def wait_for(module: AnsibleModule, client: Client, what: str, ready: Any) -> None:
    """Wait until `ready()` holds; fail with what was awaited."""
    deadline = time.monotonic() + module.params["timeout"]
    while True:
        last = ""
        try:
            if ready():
                return
        except (ConnectionError, RefusedError) as error:
            last = f" ({error})"
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"{module.params['host']}:{module.params['port']}: {what} was not reached within {module.params['timeout']} s{last}"
            )
        time.sleep(POLL)


def turn_on_appendonly(module: AnsibleModule, client: Client) -> None:
    """Wait until the new file holds everything: a restart before that would load less."""

    def complete() -> bool:
        info = parse_info(client.call("INFO", "persistence"))
        if info["aof_last_bgrewrite_status"] != "ok" and info["aof_rewrite_in_progress"] == "0":
            module.fail_json(
                msg="Redis could not write the append-only file: look for the reason in its log; a full disk is the usual one. The data is as it was."
            )
        done = info["aof_rewrite_in_progress"] == info["aof_rewrite_scheduled"] == "0"
        # aof_base_size stays 0 until the first file is whole; aof_enabled alone says nothing (measured)
        return done and info["aof_enabled"] == "1" and int(info["aof_base_size"]) > 0

    wait_for(module, client, "a complete append-only file", complete)


def config_changes(client: Client, wanted: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return directive → (has, wanted) for all that differ."""
    answer = client.call("CONFIG", "GET", "*").split("\n")
    has = dict(zip(answer[::2], answer[1::2]))
    return {
        name: (has[name], value)
        for name, value in wanted.items()
        if name in has and name not in NOT_ASKED and not same(name, value, has[name])
    }


def shown_certificate(host: str, port: int, wanted: dict[str, str]) -> bytes:
    """Return the certificate that a server shows, in DER; it may ask for one itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(wanted["tls-cert-file"], wanted["tls-key-file"])
    with socket.create_connection((host, port), ANSWER) as raw, context.wrap_socket(raw) as tls:
        return tls.getpeercert(True) or b""


def read_certificates_anew(module: AnsibleModule, client: Client, wanted: dict[str, str], restart: list[str]) -> str:
    """Let Redis read its TLS files again; return what differed, empty if nothing that shows."""
    path = wanted.get("tls-cert-file", "")
    if not path or "tls-port" in restart or "tls-cert-file" in restart or not os.path.isfile(path):
        return ""  # TLS is off, or a restart reads them
    try:
        with open(path, encoding="ascii") as file:
            on_disk = ssl.PEM_cert_to_DER_cert(file.read().split("-----END CERTIFICATE-----")[0] + ssl.PEM_FOOTER)
        differs = shown_certificate(module.params["host"], int(wanted["tls-port"]), wanted) != on_disk
        if not module.check_mode:
            # the same path: Redis reads all three files again, and keeps the old ones where these are no good
            client.call("CONFIG", "SET", "tls-cert-file", path)
    except (OSError, ValueError, RefusedError) as error:
        module.fail_json(
            msg=f"Redis runs on with the certificate that it has: {path}, its key and the authority cannot be loaded together ({error}). Correct the files: the next restart would fail."
        )
    return "certificate: another one on disk -> loaded (live)" if differs else ""


def apply(module: AnsibleModule, client: Client, result: dict[str, Any]) -> None:
    """Change what may be changed live."""
    wanted = directives(module.params["config"])
    differing = config_changes(client, wanted)
    if "maxmemory" in differing and differing["maxmemory"][1] != "0":
        used = int(parse_info(client.call("INFO", "memory"))["used_memory"])
        if int(differing["maxmemory"][1]) < used:
            module.fail_json(
                msg=f"redis_maxmemory = {differing['maxmemory'][1]} is below the {used} bytes in use: every publish would be refused. Drain the queues first, or write more."
            )
    lines = []
    for name, (has, value) in differing.items():
        live = name in module.params["live"] or name in SECRET
        result["live" if live else "restart"].append(name)
        shown = ("(secret)", "(secret, another)") if name in SECRET else (has, value)
        lines.append(f"{name}: {shown[0] or repr('')} -> {shown[1] or repr('')} ({'live' if live else 'restart'})")
        if live and not module.check_mode:
            client.call("CONFIG", "SET", name, value)
            if name == "appendonly" and value == "yes":
                turn_on_appendonly(module, client)
    if module.params["users"]:
        result["users"] = change_users(client, module.params["users"], check=module.check_mode)
        lines += [f"user {name}: rights or password (live)" for name in result["users"]]
    certificate = read_certificates_anew(module, client, wanted, result["restart"])
    if certificate:
        result["live"].append("tls-cert-file")
        lines.append(certificate)
    result["changed"] = bool(result["live"] or result["users"])
    if lines:
        result["diff"] = {
            "before": "",
            "after": "\n".join(lines) + "\n",
            "after_header": "settings of the running Redis",
        }


def main() -> None:
    """Compare, tell, and where asked, prove."""
    module = AnsibleModule(
        argument_spec={
            "cli": {"type": "path", "required": True},
            "host": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "required": True},
            "tls": {"type": "list", "elements": "str", "default": []},
            "user": {"type": "str", "default": ""},
            "passwords": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "config": {"type": "str", "required": True, "no_log": True},
            "written": {"type": "path", "default": ""},
            "users": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "live": {"type": "list", "elements": "str", "required": True},
            "oldest": {"type": "str", "required": True},
            "must_run": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    client = Client(module.params)
    result: dict[str, Any] = {"changed": False, "running": False, "live": [], "restart": [], "users": []}
    try:
        if module.params["must_run"]:
            wait_for(module, client, "an answer of Redis", lambda: find(module, client))
        result["running"] = find(module, client)
        if not result["running"]:
            module.exit_json(**result)
        wait_for(
            module,
            client,
            "the end of loading",
            lambda: parse_info(client.call("INFO", "persistence"))["loading"] == "0",
        )
        result["version"] = parse_info(client.call("INFO", "server"))["redis_version"]
        oldest = tuple(map(int, module.params["oldest"].split(".")[:2]))
        if tuple(map(int, result["version"].split(".")[:2])) < oldest:
            module.fail_json(
                msg=f"Redis {result['version']} runs on {module.params['host']}:{module.params['port']}, and redis_version says {module.params['oldest']}: upgrade it, or lower redis_version."
            )
        apply(module, client, result)
        if module.params["must_run"] and result["restart"]:
            module.fail_json(
                msg=f"Redis runs, and still differs in {', '.join(result['restart'])}: restart it by its manager, then run this again."
            )
    except FileNotFoundError:
        if module.check_mode:
            module.exit_json(**result)  # a bare host: the deploy would install it first
        module.fail_json(
            msg=f"There is no {module.params['cli']} on this host: install Redis, or correct redis_cli_binary."
        )
    except subprocess.TimeoutExpired:
        module.fail_json(
            msg=f"Redis on {module.params['host']}:{module.params['port']} accepts connections and does not answer: it is stopped, overloaded, or no Redis at all. Look at its log, end it, or set another redis_port."
        )
    except (RefusedError, ConnectionError) as error:
        module.fail_json(
            msg=f"Redis on {module.params['host']}:{module.params['port']}: {error}",
            **{key: result[key] for key in ("live", "restart")},
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
