"""Promise: a fleet is called settled only where every module that a deploy would run was asked, and had nothing to say."""

from __future__ import annotations

import base64
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.name for path in CHECKOUT.glob("roles/*/manifest.yml") if (path.parent / "tasks").is_dir())
MODULES = {path.stem for path in CHECKOUT.glob("plugins/modules/*.py")} | {"render_files"}
# Tasks that an answer leads to, and so no question: file or module, and the answer.
LED_TO = {
    "packages.yml": "host_ready lacks packages",
    "users.yml": "host_ready lacks users",
    "takeover.yml": "host_ready has a port to adopt",
    "build.yml": "the release does not exist",
    "whois.yml": "redis is stale: it differs in what only a restart changes",
    "redis_adopt": "redis_live says that a server does not run",
}
CONTROL = {"import_tasks", "include_tasks", "fail", "group_by", "raw"}
MANAGERS = ("systemd", "supervisor")


def tasks(role: str, name: str = "main.yml") -> Iterator[dict[str, Any]]:
    """Yield the tasks of a role that a deploy comes to, those that an answer leads to left out."""
    for task in yaml.safe_load((CHECKOUT / "roles" / role / "tasks" / name).read_text()) or []:
        included = task.get("ansible.builtin.include_tasks") or task.get("ansible.builtin.import_tasks")
        if included is None:
            yield task
        elif "process_manager" in included:
            for manager in MANAGERS:
                yield from tasks(role, included.replace("{{ stack.process_manager }}", manager))
        elif "{{" not in included and included not in LED_TO:
            yield from tasks(role, included)


def modules(task: dict[str, Any]) -> set[str]:
    """Return the module of a task: ours by its name, Ansible's without its collection."""
    return {key.rsplit(".", 1)[-1] for key in task if key in MODULES or key.startswith("ansible.")}


@pytest.mark.parametrize("role", ROLES)
def test_every_module_of_a_role_is_asked(role: str) -> None:
    if role == "compose":
        pytest.skip("it has files to stage and no tasks for hosts")
    asks = yaml.safe_load((CHECKOUT / "roles" / role / "asks.yml").read_text())
    run = {name for task in tasks(role) for name in modules(task)} - CONTROL - set(LED_TO)
    assert run == {entry["module"] for entry in asks if "module" in entry}


def test_the_walk_finds_what_is_not_asked() -> None:
    """The control of the test above: the modules of a role in which much is included."""
    found = {name for task in tasks("redis") for name in modules(task)}
    assert found - CONTROL == {
        *("render_files", "redis_live", "redis_adopt", "redis_topology", "systemd_units", "supervisor_programs")
    }


@pytest.fixture(scope="module")
def ask_all(plugin: Callable[[str], ModuleType]) -> ModuleType:
    return plugin("modules/ask_all")


@pytest.fixture(scope="module")
def settled(plugin: Callable[[str], ModuleType]) -> ModuleType:
    return plugin("action/settled")


def source(name: str) -> str:
    return (CHECKOUT / f"plugins/modules/{name}.py").read_text()


def asked(ask_all: ModuleType, *paths: Path) -> list[dict[str, Any]]:
    """Ask write_files about files with the content "there", each on its own, all at once."""
    content = base64.b64encode(b"there").decode()
    questions = [{"files": [{"path": str(path), "content": content}]} for path in paths]
    begun = [ask_all.begin(source("write_files"), "write_files", args) for args in questions]
    return [ask_all.end(*one) for one in begun]


def test_the_modules_answer_as_ever_and_change_nothing(ask_all: ModuleType, tmp_path: Path) -> None:
    tmp_path.joinpath("same").write_text("there")
    same, other = asked(ask_all, tmp_path / "same", tmp_path / "missing")
    assert (same["changed"], other["changed"]) == (False, True)
    assert other["files"] == {str(tmp_path / "missing"): True}
    assert not (tmp_path / "missing").exists()
    assert "invocation" not in same | other  # arguments hold secrets


def test_a_module_that_crashes_has_failed(ask_all: ModuleType, settled: ModuleType) -> None:
    answer = ask_all.end(*ask_all.begin("raise ValueError('no')", "broken", {}))
    assert answer["failed"]
    assert not settled._is_settled(answer)


def test_modules_find_what_they_share(ask_all: ModuleType, settled: ModuleType) -> None:
    """Also what one of these imports of the others: redis_master asks by redis_cli."""
    packed = settled._packed([{"module": "redis_handover", "args": {}}, {"module": "exists", "args": {}}])
    assert set(packed["modules"]) == {"redis_handover"}
    assert set(packed["utilities"]) == {"redis_cli", "redis_master"}
    assert json.loads(json.dumps(packed)) == packed
    finder = ask_all.Utilities(
        {"stack_test": "from ansible.module_utils.stack_other import TWO", "stack_other": "TWO = 2"}
    )
    sys.meta_path.insert(0, finder)
    try:
        assert importlib.import_module("ansible.module_utils.stack_test").TWO == 2
    finally:
        sys.meta_path.remove(finder)


@pytest.mark.parametrize(
    "answer",
    [
        {"changed": True},
        {"changed": False, "failed": True},
        {"changed": False, "restart": ["port"]},
        {"changed": False, "stale": ["celery-beat"]},
        {"changed": False, "adopt": 6379},
        {"changed": False, "running": False},
    ],
)
def test_what_a_deploy_would_act_on_is_a_difference(settled: ModuleType, answer: dict[str, Any]) -> None:
    assert not settled._is_settled(answer)


def test_nothing_to_say_is_settled(settled: ModuleType) -> None:
    assert settled._is_settled({"changed": False, "restart": [], "stale": [], "adopt": 0, "running": True})
