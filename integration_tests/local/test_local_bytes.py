"""One renderer: what `make stage` and `make deploy` write is byte for byte what ansible.builtin.template makes.

The renderer uses private helpers of Ansible; this is what tells when they change.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_tests.checkout import CHECKOUT
from integration_tests.local.clone import Clone
from settings.secrets import passwords_yaml, write_private

DIGEST = re.compile(r"STACK_DIGEST=\"?([0-9a-f]{16})")
# What no local stack has: systemd, Flower, sysctl, log rotation, containers; and characters that renderers stumble over.
SERVERS = """\
all:
  vars:
    celery_queues: [{name: fast}]
    celery_task_default_queue: fast
    celery_routes: [{match: "*", queue: fast}]
    celery_workers: [{name: fast, queues: [fast], concurrency: 1}]
    celery_beat_schedule: [{name: heartbeat, task: probe.heartbeat, cron: "*/5 * * * *"}]
    celery_environment: {GREETING: "grüße, 100 % \\\\ \\"quoted\\" {{ '{{' }} $HOME"}
    accepted_risks: [{id: open-without-tls, reason: an example}]
  hosts:
    one: {ansible_host: 192.0.2.11, process_manager: systemd, stack_logs: files}
    two: {ansible_host: 192.0.2.12, process_manager: supervisor}
redis: {hosts: {one: {redis_bind: ["192.0.2.11", 127.0.0.1], host_memory: 8gb}}}
celery: {hosts: {one: , two: }}
beat: {hosts: {one: }}
flower: {hosts: {one: , two: }}
sentinel: {hosts: {one: , two: , three: {ansible_host: 192.0.2.13, process_manager: supervisor}}}
"""

ROLES = ["host", "firewall", "supervisor", "redis", "backup", "sentinel", "celery", "compose"]


@pytest.fixture(params=["local", "servers"])
def env(stack: Clone, request: pytest.FixtureRequest) -> Iterator[str]:
    """An inventory: the local one, and one whose hosts have everything else."""
    name = str(request.param)
    folder = stack.folder / "inventories" / "servers"
    if name == "servers":
        folder.joinpath("group_vars").mkdir(parents=True)
        folder.joinpath("hosts.yml").write_text(SERVERS)
        write_private(folder / "group_vars" / "all.yml", passwords_yaml())
    yield name
    shutil.rmtree(folder, ignore_errors=True)


def tasks_for(role: str) -> Iterator[dict[str, Any]]:
    """Yield a task of ansible.builtin.template per template of a role's manifest."""
    for entry in yaml.safe_load((CHECKOUT / "roles" / role / "manifest.yml").read_text()):
        if "src" not in entry:
            continue
        path = entry["path"]
        task = {
            "name": path,
            "ansible.builtin.template": {"src": entry["src"], "dest": "{{ rendered }}/{{ target }}", "mode": "0600"},
            "when": [f"'{role}' in wanted", entry.get("when", True)],
            "vars": {"target": "{{ inventory_hostname }}" + path, "files_digest": "{{ digests[target] }}"},
            "delegate_to": "localhost",
        }
        if "each" in entry:
            task |= {"loop": "{{ " + entry["each"] + " }}", "loop_control": {"loop_var": entry["as"], "label": "-"}}
        yield task


def playbook(roles: list[str], wanted: str) -> str:
    """Return a play that renders with Ansible's own module."""
    play = {
        "name": "Render with ansible.builtin.template",
        "hosts": "all",
        "vars": {"stack": "{{ preflight_fleet.hosts[inventory_hostname] }}", "wanted": wanted},
        "tasks": [task for role in roles for task in tasks_for(role)],
    }
    return yaml.safe_dump([{"name": "Judge", "hosts": "all", "roles": ["preflight"]}, play], sort_keys=False)


def contents(folder: Path) -> dict[str, bytes]:
    """Return relative path → bytes of every file."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_staged_files_are_those_of_ansibles_template_module(stack: Clone, env: str, tmp_path: Path) -> None:
    """Every template of every role, for a local stack and for servers; for the local one also what deploy wrote."""
    build = stack.folder / "build" / env
    stack.make("stage", f"ENV={env}")
    stage = yaml.safe_load((CHECKOUT / "stage.yml").read_text())[1]
    staged = {
        path: content
        for host in json.loads((build / "settings.json").read_text())
        for path, content in _below(build, host)
    }
    assert staged
    digests = {path: found[1] for path, content in staged.items() if (found := DIGEST.search(content.decode()))}
    for path in staged:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    values = tmp_path / "values.json"
    values.write_text(json.dumps({"rendered": str(tmp_path), "digests": dict.fromkeys(staged, "") | digests}))
    play = stack.folder / "bytes.yml"
    play.write_text(playbook(ROLES, stage["tasks"][0]["render_files"]["roles"]))
    try:
        ansible = str(stack.folder / ".venv/bin/ansible-playbook")
        stack.run(ansible, "--inventory", f"inventories/{env}", "--extra-vars", f"@{values}", play.name)
    finally:
        play.unlink()
    values.unlink()
    assert contents(tmp_path) == staged
    if env == "local":
        deployed = {path: (stack.root / path.partition("/")[2]) for path in staged}
        assert {path: file.read_bytes() for path, file in deployed.items()} == staged


def _below(build: Path, host: str) -> Iterator[tuple[str, bytes]]:
    for path, content in contents(build / host).items():
        yield f"{host}/{path}", content
