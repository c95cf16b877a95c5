#!/usr/bin/python
"""Bring supervisor's programs in line with its files. Standard library only: speaks XML-RPC over supervisor's socket."""

from __future__ import annotations

DOCUMENTATION = r"""
module: supervisor_programs
short_description: Start, restart and remove programs of supervisor until they are as its files say
description:
  - Starts supervisord where it does not run and C(daemon) is given.
  - A program whose definition changed is stale. Stale programs are restarted one at a time, those of Celery drained
    first and waited for afterwards.
options:
  config: {description: Path of supervisord.conf., type: path, required: true}
  socket: {description: Path of supervisor's socket., type: path, required: true}
  daemon: {description: Path of supervisord., type: path}
  programs: {description: Programs that must run., type: list, elements: str, default: []}
  owned: {description: "Prefix of names that this role owns: those that are not listed are removed, others left alone.",
    type: str, default: ""}
  state: {description: "C(stopped) stops the programs, all at once, and waits for the last.", type: str, choices: [started, stopped], default: started}
  restart: {description: Programs to restart in any case., type: list, elements: str, default: []}
  roll: {description: Whether to restart stale programs; otherwise they are only named., type: bool, default: true}
  await: {description: Whether to wait for every node and not only for those that were started., type: bool, default: false}
  timeout: {description: Longest wait for a start in seconds., type: int, default: 60}
  host: {description: "Name of the host in the names of its Celery nodes; empty where nothing here is one.", type: str, default: ""}
  ask: {description: The command celery-node., type: list, elements: str, default: []}
  environment: {description: Environment file of that command., type: path}
  drain_timeout: {description: Longest drain in seconds., type: int, default: 60}
  ready_timeout: {description: Longest wait for a node in seconds., type: int, default: 60}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Run the workers
  supervisor_programs:
    config: /etc/supervisor/supervisord.conf
    socket: /run/supervisor.sock
    owned: celery-
    programs: [celery-worker-fast-1]
"""
RETURN = r"""
started: {description: Programs that were started or restarted., returned: always, type: list}
stopped: {description: Programs that were stopped., returned: when state is stopped, type: list}
removed: {description: Programs that were removed., returned: always, type: list}
stale: {description: Programs that run as an older file says., returned: always, type: list}
drained: {description: What the drains came to., returned: always, type: list}
states: {description: Program to its state and what supervisor says of it., returned: always, type: dict}
"""

import http.client
import os
import socket
import subprocess
import time
import xmlrpc.client
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.celery_nodes import OPTIONS, Nodes

POLL = 0.05
RUNNING = "RUNNING"
DOWN = ("STOPPED", "EXITED", "FATAL")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        """Remember the socket's path."""
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


class UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket."""

    def __init__(self, path: str) -> None:
        """Remember the socket's path."""
        super().__init__()
        self.path = path

    def make_connection(self, host: Any) -> UnixConnection:
        """Return a connection; xmlrpc's own would use TCP."""
        return UnixConnection(self.path)


def proxy(path: str) -> Any:
    """Return supervisor's RPC interface."""
    return xmlrpc.client.ServerProxy("http://localhost", transport=UnixTransport(path)).supervisor


def answers(path: str) -> bool:
    """Whether a supervisor listens on the socket."""
    try:
        return str(proxy(path).getState()["statename"]) == RUNNING
    except (OSError, xmlrpc.client.Error, http.client.HTTPException):
        return False


def start_daemon(module: AnsibleModule) -> None:
    """Start supervisord and wait until it answers."""
    # A clean environment: what the operator happens to have set must not reach the services.
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR") if key in os.environ}
    done = subprocess.run(
        [module.params["daemon"], "-c", module.params["config"]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        module.fail_json(msg=f"supervisord does not start: {(done.stderr or done.stdout).strip()}")
    deadline = time.monotonic() + module.params["timeout"]
    while not answers(module.params["socket"]):
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"supervisord does not answer on {module.params['socket']} within {module.params['timeout']} s; see its log"
            )
        time.sleep(POLL)


def await_running(module: AnsibleModule, rpc: Any, name: str) -> None:
    """Wait until a program runs; fail with the end of its log."""
    deadline = time.monotonic() + module.params["timeout"]
    while True:
        info = rpc.getProcessInfo(name)
        if info["statename"] == RUNNING:
            return
        if info["statename"] == "FATAL" or time.monotonic() > deadline:
            log = info["stdout_logfile"]
            module.fail_json(
                msg=f"{name} does not run ({info['statename']}: {info['spawnerr'] or info['description']}); the end of {log}:\n"
                + rpc.tailProcessStdoutLog(name, 0, 2000)[0]
            )
        time.sleep(POLL)


def bring_in_line(module: AnsibleModule, rpc: Any) -> dict[str, Any]:
    """Add, restart and remove programs; return what was done."""
    params, nodes = module.params, Nodes(module.params)
    try:
        added, changed, removed = (
            [name for name in names if name.startswith(params["owned"])] for names in rpc.reloadConfig()[0]
        )
    except xmlrpc.client.Fault as fault:
        module.fail_json(msg=f"supervisor cannot read its files: {fault.faultString}")
    running = {info["name"]: info for info in rpc.getAllProcessInfo()}
    added = [name for name in added if name in params["programs"]]
    spare = [name for name in running if name.startswith(params["owned"]) and name not in params["programs"]]
    removed = sorted({*removed, *(spare if params["owned"] else [])})
    again = [name for name in params["restart"] if name in running and name not in changed]
    stopped = [
        name
        for name in params["programs"]
        if name in running and running[name]["statename"] not in (RUNNING, "STARTING") and name not in changed
    ]
    stale = [name for name in params["programs"] if name in changed or name in again]
    rolled = stale if params["roll"] or module.check_mode else []
    done = {"started": sorted({*added, *rolled, *stopped}), "removed": removed, "stale": stale, "drained": []}
    if module.check_mode:
        return done
    drained: list[str] = []

    def drain(name: str) -> None:
        drained.extend(filter(None, [nodes.drain(name)]))

    def renew(name: str) -> None:
        """Stop a program, and start it as its file says now."""
        rpc.stopProcessGroup(name, True)
        rpc.removeProcessGroup(name)
        rpc.addProcessGroup(name)

    for name in removed:
        drain(name)
        rpc.stopProcessGroup(name, True)
        rpc.removeProcessGroup(name)
    for name in added:
        rpc.addProcessGroup(name)
    for name in stopped:
        if rpc.getProcessInfo(name)["statename"] not in (RUNNING, "STARTING", "BACKOFF"):
            rpc.startProcess(name, False)
    for name in rolled:
        drain(name)
        renew(name)
        await_ready(module, rpc, nodes, name, started=True)
    for name in params["programs"]:
        await_running(module, rpc, name)
        # one that is stale may reach nobody by its old file: it is judged behind its restart
        if (params["await"] and name not in stale) or name in added or name in stopped:
            await_ready(module, rpc, nodes, name, started=name in added or name in stopped)
    return {**done, "drained": drained}


def await_ready(module: AnsibleModule, rpc: Any, nodes: Nodes, name: str, *, started: bool) -> None:
    """Wait until a program runs and its node answers and, where it was started, consumes."""
    await_running(module, rpc, name)
    why = nodes.ready(name, started=started)
    if why:
        log = rpc.tailProcessStdoutLog(name, 0, 2000)[0]
        module.fail_json(msg=f"{name} runs and does not work: {why}; the end of its log:\n{log}")


def stop(module: AnsibleModule, rpc: Any) -> list[str]:
    """Ask all programs to stop, then wait for each: a warm stop takes as long as the longest task, not all of them."""
    known = {info["name"]: info["statename"] for info in rpc.getAllProcessInfo()}
    stopping = [name for name in module.params["programs"] if known.get(name) in (RUNNING, "STARTING", "BACKOFF")]
    if module.check_mode:
        return stopping
    for name in stopping:
        rpc.stopProcess(name, False)
    deadline = time.monotonic() + module.params["timeout"]
    for name in stopping:
        while rpc.getProcessInfo(name)["statename"] not in DOWN:
            if time.monotonic() > deadline:
                module.fail_json(
                    msg=f"{name} did not stop within {module.params['timeout']} s: it finishes what it runs"
                )
            time.sleep(POLL)
    return stopping


def states(rpc: Any, names: list[str]) -> dict[str, dict[str, str]]:
    """Return the state of each program that must run."""
    known = {info["name"]: info for info in rpc.getAllProcessInfo()}
    return {
        name: {"state": known[name]["statename"].lower(), "detail": known[name]["description"]}
        if name in known
        else {"state": "unknown", "detail": "supervisor does not know it yet"}
        for name in names
    }


def main() -> None:
    """Start the daemon where it is missing, then the programs."""
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "required": True},
            "socket": {"type": "path", "required": True},
            "daemon": {"type": "path"},
            "programs": {"type": "list", "elements": "str", "default": []},
            "owned": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
            "restart": {"type": "list", "elements": "str", "default": []},
            "roll": {"type": "bool", "default": True},
            "await": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 60},
            **OPTIONS,
        },
        supports_check_mode=True,
    )
    params = module.params
    fresh = not answers(params["socket"])
    if params["state"] == "stopped":
        stopped = [] if fresh else stop(module, proxy(params["socket"]))
        module.exit_json(changed=bool(stopped), started=[], stopped=stopped, removed=[], states={})
    if fresh:
        if module.check_mode:
            down = {name: {"state": "stopped", "detail": "supervisor does not run"} for name in params["programs"]}
            module.exit_json(
                changed=True,
                started=["supervisord", *params["programs"]],
                removed=[],
                stale=[],
                drained=[],
                states=down,
            )
        if not params["daemon"]:
            module.fail_json(msg=f"supervisor does not answer on {params['socket']}: start it by its own service first")
        start_daemon(module)
    try:
        rpc = proxy(params["socket"])
        done = bring_in_line(module, rpc)
        done["states"] = states(rpc, params["programs"])
    except xmlrpc.client.Fault as fault:
        module.fail_json(msg=f"supervisor refuses: {fault.faultString}")
    module.exit_json(changed=fresh or bool(done["started"] or done["removed"]), **done)


if __name__ == "__main__":
    main()
