#!/usr/bin/python
"""Run other modules in check mode, all in one round trip. Standard library only."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ask_all
short_description: Run a list of modules in check mode, all in one round trip
description:
  - Called by the action settled. A module of Ansible costs a host a quarter of a second before it does anything, most of it
    for what all modules load alike; here it is loaded once, and every module runs in a fork of it, all at the same time.
  - Nothing is changed.
options:
  questions:
    description:
      - JSON of C(modules) (name to source), C(utilities) (name to source of what they import of ours) and C(asked), a list of
        C(module) and C(args); C(exists) is no module, and looks whether a path is there.
      - One string, as it holds secrets, and Ansible hides from a result what its secrets contain.
    type: str
    required: true
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Ask
  ask_all:
    questions: '{"modules": {}, "utilities": {}, "asked": []}'
"""
RETURN = r"""
answers: {description: "What each module returned, in order.", returned: always, type: list}
"""

import json
import os
import sys
import traceback
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ansible.module_utils import basic

# Plain JSON both ways, without the types that Ansible 2.19 adds for its own modules.
PROFILE = "legacy"


class Utilities(MetaPathFinder, Loader):
    """Let the modules import what they share, as if Ansible had packed it."""

    def __init__(self, sources: dict[str, str]) -> None:
        """Take name to source."""
        self.sources = {f"ansible.module_utils.{name}": source for name, source in sources.items()}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Say that it is ours."""
        return ModuleSpec(name, self) if name in self.sources else None

    def exec_module(self, module: ModuleType) -> None:
        """Run its source."""
        name = module.__name__
        exec(compile(self.sources[name], name, "exec"), module.__dict__)  # noqa: S102 - as Ansible does with its modules


def run(source: str, name: str, args: dict[str, Any]) -> None:
    """Be that module: it reads its arguments, prints its result and exits."""
    basic._ANSIBLE_ARGS = json.dumps(
        {"ANSIBLE_MODULE_ARGS": {**args, "_ansible_check_mode": True, "_ansible_module_name": name}}
    ).encode()
    basic._ANSIBLE_PROFILE = PROFILE
    exec(compile(source, name, "exec"), {"__name__": "__main__"})  # noqa: S102


def begin(source: str, name: str, args: dict[str, Any]) -> tuple[int, int]:
    """Run a module in a fork; return its process and where its output can be read."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    code = 1
    try:
        os.dup2(writing, 1)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        run(source, name, args)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def end(pid: int, reading: int) -> dict[str, Any]:
    """Wait for a module; return what it answered. One that crashed has failed."""
    with os.fdopen(reading, encoding="utf-8") as output:
        said = output.read()
    os.waitpid(pid, 0)
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError:
        return {"failed": True, "msg": f"it printed no JSON: {said[-500:]}"}
    answer.pop("invocation", None)
    return answer


def main() -> None:
    """Ask everything at once, and collect."""
    module = basic.AnsibleModule(
        argument_spec={"questions": {"type": "str", "required": True, "no_log": True}}, supports_check_mode=True
    )
    questions = json.loads(module.params["questions"])
    sys.meta_path.insert(0, Utilities(questions["utilities"]))
    modules, asked = questions["modules"], questions["asked"]
    begun = [
        begin(modules[one["module"]], one["module"], one["args"]) if one["module"] in modules else None for one in asked
    ]
    answers = [
        end(*forked) if forked else {"changed": not os.path.exists(one["args"]["path"])}
        for one, forked in zip(asked, begun)
    ]
    module.exit_json(changed=False, answers=answers)


if __name__ == "__main__":
    main()
