"""Ask a host in one round trip whether anything differs from what its roles would make of it.

    - name: Ask whether anything differs
      settled:

Every role on the host says in its asks.yml which modules it would run there, and what has to exist; they run in check mode. A host is settled when every answer is "as it shall be". A role without asks.yml, a
module that fails, a host that lacks something: not settled, and the roles run as ever.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

ASKS = "asks.yml"
KEYS = {"module", "args", "exists", "when", "each", "as"}
EXISTS = "exists"  # no module: ask_all looks itself
FILES = "render_files"  # asks for what the role's manifest lists
PLUGINS = Path(__file__).resolve().parents[1]
IMPORTED = re.compile(r"^from ansible\.module_utils\.(\w+) import", re.MULTILINE)
# What a module has to say besides `changed`, if a deploy would do something about it: see their RETURN.
TELLING = ("failed", "changed", "restart", "stale", "adopt")


class ActionModule(ActionBase):
    """Collect the questions, ask them, judge the answers."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return `settled`, what is `differing`, and, where nothing is, the `results` as the roles would have had them."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        stack = self._templar.evaluate_expression(trust_as_template("stack"))
        silent = [role for role in stack["roles"] if not os.path.isfile(self._path(role, ASKS))]
        if silent:
            return {**result, "changed": False, "settled": False, "differing": silent}
        asked = [question for role in stack["roles"] for question in self._questions(role, variables)]
        names = [f"{one['role']}: {one['module']}" for one in asked]
        told = self._execute_module(
            module_name="ask_all", module_args={"questions": json.dumps(_packed(asked))}, task_vars=variables
        )
        if told.get("unreachable"):
            return {**result, **told}
        if "answers" not in told:  # no Python there, say: whoever comes first finds better words
            return {**result, "changed": False, "settled": False, "differing": ["ask_all"]}
        answers = told["answers"]
        differing = [name for name, answer in zip(names, answers, strict=True) if not _is_settled(answer)]
        result.update(changed=False, settled=not differing, differing=differing)
        if not differing:
            result["warnings"] = [warning for answer in answers for warning in answer.pop("warnings", [])]
            result["results"] = answers
        return result

    def _path(self, role: str, *names: str) -> str:
        return os.path.join(self._loader.get_basedir(), "roles", role, *names)

    def _questions(self, role: str, variables: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield `role`, `module` and `args` of what a role asks for, with the variables that its tasks would have."""
        rendered = self._rendered(role, variables)
        variables = {
            **variables,
            **self._loader.load_from_file(self._path(role, "vars", "main.yml"), trusted_as_template=True),
            f"{role}_rendered": {"contents": rendered["contents"]},
            # Where one differs, the host is not settled, whatever the others say.
            f"{role}_files": {
                "changed": False,
                "files": dict.fromkeys((file["path"] for file in rendered["files"]), False),
            },
        }
        for entry in self._loader.load_from_file(self._path(role, ASKS), trusted_as_template=True):
            unknown = set(entry) - KEYS
            if unknown or not {"module", "exists"} & set(entry):
                raise AnsibleActionFail(f"{self._path(role, ASKS)}: known are {', '.join(sorted(KEYS))}: {entry}")
            for scope in self._items(entry, variables):
                templar = self._templar.copy_with_new_env(available_variables={**variables, **scope})
                if "when" in entry and not templar.evaluate_conditional(entry["when"]):
                    continue
                if "exists" in entry:
                    yield {"role": role, "module": EXISTS, "args": {"path": templar.template(entry["exists"])}}
                elif entry["module"] == FILES:
                    yield {"role": role, "module": "write_files", "args": {"files": rendered["files"]}}
                else:
                    yield {"role": role, "module": entry["module"], "args": templar.template(entry.get("args", {}))}

    def _items(self, entry: dict[str, Any], variables: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if "each" not in entry:
            yield {}
            return
        templar = self._templar.copy_with_new_env(available_variables=variables)
        for item in templar.evaluate_expression(entry["each"]):
            yield {entry["as"]: item}

    def _rendered(self, role: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the contents of a role's files, and the arguments of write_files."""
        task = self._task.copy()
        task.args = {"only": "asked", "roles": [role]}
        renderer = self._shared_loader_obj.action_loader.get(
            FILES,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        rendered: dict[str, Any] = renderer.run(task_vars=variables)
        return rendered


def _packed(asked: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the questions with the source of the modules, and of what these import of ours."""
    names = {one["module"] for one in asked} - {EXISTS}
    modules = {name: (PLUGINS / "modules" / f"{name}.py").read_text("utf-8") for name in sorted(names)}
    utilities: dict[str, str] = {}
    sources = list(modules.values())
    while sources:
        for name in IMPORTED.findall(sources.pop()):
            path = PLUGINS / "module_utils" / f"{name}.py"
            if name not in utilities and path.is_file():  # the others are Ansible's own
                utilities[name] = path.read_text("utf-8")
                sources.append(utilities[name])
    return {
        "modules": modules,
        "utilities": utilities,
        "asked": [{"module": one["module"], "args": one["args"]} for one in asked],
    }


def _is_settled(answer: dict[str, Any]) -> bool:
    """Whether a deploy would do nothing about it."""
    return not any(answer.get(key) for key in TELLING) and bool(answer.get("running", True))
