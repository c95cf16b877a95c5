"""Render a role's manifest with Ansible's own engine and write all its files in one round trip.

    - name: Write the files
      render_files:
        only: written          # optional: `rendered` returns the contents and writes nothing, `gone` removes all,
                               # `asked` returns the arguments of write_files and asks no host (see the action settled)
        data: true             # optional, with `gone`: what is marked as data, too
        roles: [redis, celery] # optional: their manifests, in place of the one of the role that this task stands in

With `stack_stage_root` set, the very same bytes go to `<stack_stage_root>/<host>/…` on the controller, and no host is
touched. CI compares the bytes with those of `ansible.builtin.template`.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ansible._internal._templating._template_vars import generate_ansible_template_vars
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

MANIFEST = "manifest.yml"
KEYS = {
    *("path", "absolute", "src", "copy", "state", "target", "each", "as", "when", "owner", "group", "mode", "secret"),
    "sweep",  # of a directory: remove what this pattern matches, what we have written and no entry names
    "whole",  # of a directory: it is ours with all that processes have put there
    "data",  # of a directory: it holds what cannot be made again
}
# As ansible.builtin.template has them.
OVERRIDES = {"trim_blocks": True, "lstrip_blocks": False, "newline_sequence": "\n"}


class ActionModule(ActionBase):
    """Expand, render, write."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return `changed`, `files` (path → changed) and, with `only: rendered`, `contents` (path → text)."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        only = self._task.args.get("only", "written")
        if "stack" not in variables or "preflight_fleet" not in variables:
            raise AnsibleActionFail("No settings were resolved: let the play begin with the role preflight.")
        self._shared: dict[str, Any] = {}
        self._renderers: dict[str, Any] = {}
        entries = [entry for path in self._manifests() for entry in self._rendered(self._read(path), variables)]
        entries += [_sweep(entry, entries) for entry in entries if "sweep" in entry]
        stage_root = variables.get("stack_stage_root")
        if only in ("rendered", "asked"):
            result.update(
                changed=False, contents={entry["path"]: entry["text"] for entry in entries if "text" in entry}
            )
            if only == "asked":
                result["files"] = self._for_host(entries)
            # contents hold secrets: they are for the next task, never for a terminal
            result["_ansible_no_log"] = True
            return result
        if stage_root:
            folder = Path(str(self._templar.template(stage_root))) / str(variables["inventory_hostname"])
            result.update(_stage(entries, folder))
            return result
        if only == "gone":
            entries = _gone(entries, data=bool(self._task.args.get("data", False)))
        result.update(
            self._execute_module(
                module_name="write_files", module_args={"files": self._for_host(entries)}, task_vars=variables
            )
        )
        return result

    def _for_host(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the entries as the module write_files takes them."""
        root = str(self._templar.evaluate_expression(trust_as_template("stack.root")))
        unprivileged = bool(self._templar.evaluate_expression(trust_as_template("stack.unprivileged")))
        return [_for_host(entry, root, unprivileged) for entry in entries]

    def _manifests(self) -> list[str]:
        """Return the paths of the manifests that the task means."""
        named = self._task.args.get("roles")
        if named:
            return [os.path.join(self._loader.get_basedir(), "roles", str(role), MANIFEST) for role in named]
        if self._task._role is None:
            raise AnsibleActionFail(
                "render_files stands outside a role: name the roles whose manifests it shall render."
            )
        return [os.path.join(self._task._role._role_path, MANIFEST)]

    def _read(self, path: str) -> list[dict[str, Any]]:
        entries = self._loader.load_from_file(path, trusted_as_template=True)
        for entry in entries:
            unknown = set(entry) - KEYS
            if unknown or "path" not in entry:
                wrong = f"unknown key {', '.join(sorted(unknown))}" if unknown else "no path"
                raise AnsibleActionFail(f"{path}: an entry has {wrong}; known are {', '.join(sorted(KEYS))}: {entry}")
        return list(entries)

    def _rendered(self, manifest: list[dict[str, Any]], variables: dict[str, Any]) -> list[dict[str, Any]]:
        """Return one flat entry per file or directory, contents rendered."""
        rendered: list[dict[str, Any]] = []
        digest = hashlib.sha256()
        for entry in manifest:
            for scope in self._items(entry, variables):
                known = Known(self._templar, {**variables, **scope}, set(scope), self._shared)
                if "when" in entry and not known.holds(entry["when"]):
                    continue
                plain = {key: known.value(value) for key, value in entry.items() if key not in ("each", "as", "when")}
                if "src" in entry:
                    # Digest of all that stands above in the manifest: units carry it, and change with what they read.
                    text = self._render(plain["src"], {**variables, **scope, "files_digest": digest.hexdigest()[:16]})
                    digest.update(f"{plain['path']}\0{text}\0".encode())
                    plain["text"] = text
                if "copy" in entry:  # a file of the controller, as it is; decrypted where it is encrypted
                    plain["text"] = self._loader.get_text_file_contents(plain.pop("copy"))
                rendered.append(plain)
        return rendered

    def _items(self, entry: dict[str, Any], variables: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if "each" not in entry:
            yield {}
            return
        templar = self._templar.copy_with_new_env(available_variables=variables)
        for item in templar.evaluate_expression(entry["each"]):
            yield {entry["as"]: item}

    def _render(self, src: str, variables: dict[str, Any]) -> str:
        source = self._find_needle("templates", src)
        base = source[: -len(src)]
        variables = {**variables, **generate_ansible_template_vars(path=src, fullpath=source)}
        # One environment for all files: it remembers the macros that it has compiled.
        if base not in self._renderers:
            self._renderers[base] = self._templar.copy_with_new_env(searchpath=[base])
        templar = self._renderers[base]
        templar.available_variables = variables
        text = trust_as_template(self._loader.get_text_file_contents(source))
        return str(templar.template(text, escape_backslashes=False, overrides=OVERRIDES))


class Known:
    """Templates of manifests, each rendered once.

    Most name the same few owners, groups and conditions, and compiling one costs more than all else.
    """

    def __init__(self, templar: Any, variables: dict[str, Any], scope: set[str], shared: dict[str, Any]) -> None:
        """Take the variables of an entry; what names none of its `scope` is shared with all others."""
        self.templar = templar
        self.variables = variables
        self.scope = scope
        self.shared = shared

    def _once(self, text: str, render: Callable[[Any], Any]) -> Any:
        own = any(name in text for name in self.scope)
        if own or text not in self.shared:
            found = render(self.templar.copy_with_new_env(available_variables=self.variables))
            if own:
                return found
            self.shared[text] = found
        return self.shared[text]

    def value(self, value: Any) -> Any:
        """Return a value, rendered where it is a template."""
        if not isinstance(value, str) or ("{{" not in value and "{%" not in value):
            return value
        return self._once(value, lambda templar: templar.template(value))

    def holds(self, condition: Any) -> bool:
        """Return whether a condition holds."""
        return bool(self._once(f"when {condition}", lambda templar: templar.evaluate_conditional(condition)))


def _gone(entries: list[dict[str, Any]], *, data: bool) -> list[dict[str, Any]]:
    """Return what removes the entries, last first: a directory goes whole where it is ours, else once it is empty."""
    gone = []
    for entry in reversed(entries):
        state = "file" if "text" in entry else entry.get("state", "directory")
        if state == "swept":
            continue  # a directory of which we own some names: each stands in an entry of its own
        if state == "directory":
            ours = bool(entry.get("whole")) or (data and bool(entry.get("data")))
            state = "no_tree" if ours else "vacant"
        else:
            state = "absent"
        gone.append({"path": entry["path"], "absolute": entry.get("absolute"), "state": state})
    return gone


def _sweep(entry: dict[str, Any], entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the entry that sweeps a directory of what no entry names."""
    folder = str(entry["path"]) + "/"
    named = {
        str(other["path"])[len(folder) :].split("/")[0] for other in entries if str(other["path"]).startswith(folder)
    }
    return {"path": entry["path"], "state": "swept", "pattern": entry["sweep"], "keep": sorted(named)}


def _for_host(entry: dict[str, Any], root: str, unprivileged: bool) -> dict[str, Any]:
    """Return an entry as the module takes it: below the root, and without owners where we are nobody to give away."""
    sent = {key: entry[key] for key in ("state", "target", "mode", "secret", "pattern", "keep") if key in entry}
    sent["path"] = entry["path"] if entry.get("absolute") else root + entry["path"]
    if "text" in entry:
        sent["content"] = base64.b64encode(entry["text"].encode()).decode()
    if not unprivileged:
        sent.update({key: entry[key] for key in ("owner", "group") if key in entry})
    return sent


def _stage(entries: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Write below a folder of the controller; return `changed` and `files`."""
    files: dict[str, bool] = {}
    for entry in entries:
        if entry.get("absolute") or entry.get("state") == "swept":
            continue  # a directory of sockets, or what is no more: nothing to stage
        path = folder / str(entry["path"]).lstrip("/")
        if entry.get("state", "directory") == "directory" and "text" not in entry:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if "text" not in entry:
            continue
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = entry["text"].encode()
        changed = not path.is_file() or path.read_bytes() != content
        if changed:
            path.unlink(missing_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
        files[str(path)] = changed
    return {"changed": any(files.values()), "files": files}
