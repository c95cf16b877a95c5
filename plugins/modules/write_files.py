#!/usr/bin/python
"""Write a list of files, directories and links in one go. Standard library only: a host needs nothing but Python."""

from __future__ import annotations

DOCUMENTATION = r"""
module: write_files
short_description: Write a list of files, directories and links in one round trip
description:
  - Called by the action render_files. Each file is replaced whole or not at all.
options:
  files:
    description: What to write, in order. A secret's content is never in the diff.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      content: {description: Content of a file in base64; without it C(state) says what it is., type: str}
      state:
        description:
          - What else it is. C(absent) removes a file or a link, C(no_tree) a directory with all that is in it.
          - C(vacant) removes a directory that is empty.
          - C(swept) removes from a directory what C(pattern) matches, C(keep) does not name and we have written.
        type: str
        choices: [directory, absent, no_tree, link, swept, vacant]
        default: directory
      pattern: {description: What a sweep looks at., type: str}
      keep: {description: Names that a sweep leaves., type: list, elements: str, default: []}
      target: {description: What a link points to., type: path}
      owner: {description: Owner., type: str}
      group: {description: Group., type: str}
      mode: {description: Mode in octal., type: str}
      secret: {description: Keep the content out of every diff., type: bool, default: false}
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Write a file
  write_files:
    files:
      - {path: /etc/example.conf, content: "{{ 'text' | b64encode }}", mode: "0644"}
"""
RETURN = r"""
files:
  description: Path to whether it changed.
  returned: always
  type: dict
"""

import base64
import fnmatch
import grp
import os
import pwd
import shutil
import stat
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

Change = dict[str, Any]
# Stands at the head of every file that this repository writes.
MARK = b"Managed by Ansible"


def _ids(entry: dict[str, Any]) -> tuple[int, int]:
    """Return uid and gid, -1 for "leave it". A name that does not exist raises KeyError."""
    uid = pwd.getpwnam(entry["owner"]).pw_uid if entry["owner"] else -1
    gid = grp.getgrnam(entry["group"]).gr_gid if entry["group"] else -1
    return uid, gid


def _attributes_differ(entry: dict[str, Any]) -> bool:
    now = os.lstat(entry["path"])
    if entry["mode"] and stat.S_IMODE(now.st_mode) != int(entry["mode"], 8):
        return True
    try:
        uid, gid = _ids(entry)
    except KeyError:
        return True  # an owner that a first run is about to create
    return uid not in (-1, now.st_uid) or gid not in (-1, now.st_gid)


def _set_attributes(entry: dict[str, Any], path: str) -> None:
    uid, gid = _ids(entry)
    if (uid, gid) != (-1, -1):
        os.chown(path, uid, gid)
    if entry["mode"]:
        os.chmod(path, int(entry["mode"], 8))


def _directory(entry: dict[str, Any], check: bool) -> Change | None:
    path = entry["path"]
    if os.path.isdir(path):
        if not _attributes_differ(entry):
            return None
        before = "directory, other owner or mode\n"
    else:
        before = ""
    if not check:
        os.makedirs(path, exist_ok=True)
        _set_attributes(entry, path)
    return {"before": before, "after": "directory\n"}


def _absent(entry: dict[str, Any], check: bool) -> Change | None:
    """Remove a file or a link; a directory only goes as a tree, by name."""
    path = entry["path"]
    if not os.path.lexists(path):
        return None
    if not check:
        os.unlink(path)
    return {"before": "there\n", "after": ""}


def _no_tree(entry: dict[str, Any], check: bool) -> Change | None:
    path = entry["path"]
    if not os.path.isdir(path) or os.path.islink(path):
        return None
    if not check:
        shutil.rmtree(path)
    return {"before": "directory\n", "after": ""}


def _vacant(entry: dict[str, Any], check: bool) -> Change | None:
    path = entry["path"]
    if not os.path.isdir(path) or os.path.islink(path) or os.listdir(path):
        return None
    if not check:
        os.rmdir(path)
    return {"before": "empty directory\n", "after": ""}


def _is_ours(path: str) -> bool:
    """Whether we have written a file, or everything in a directory."""
    if os.path.isdir(path):
        return all(_is_ours(os.path.join(path, name)) for name in os.listdir(path))
    try:
        with open(path, "rb") as file:
            return MARK in file.read()
    except OSError:
        return False


def _swept(entry: dict[str, Any], check: bool) -> Change | None:
    """Remove what a former description has written and this one does not name."""
    folder = entry["path"]
    names = fnmatch.filter(sorted(os.listdir(folder)), entry["pattern"]) if os.path.isdir(folder) else []
    stale = [name for name in names if name not in entry["keep"] and _is_ours(os.path.join(folder, name))]
    for name in stale if not check else []:
        path = os.path.join(folder, name)
        (_no_tree if os.path.isdir(path) and not os.path.islink(path) else _absent)({"path": path}, check)
    return {"before": "".join(f"{name}\n" for name in stale), "after": ""} if stale else None


def _link(entry: dict[str, Any], check: bool) -> Change | None:
    path, target = entry["path"], entry["target"]
    before = os.readlink(path) if os.path.islink(path) else ""
    if before == target:
        return None
    if not check:
        temporary = f"{path}.new"
        if os.path.lexists(temporary):
            os.unlink(temporary)
        os.symlink(target, temporary)
        os.replace(temporary, path)
    return {"before": f"link to {before}\n" if before else "", "after": f"link to {target}\n"}


def _file(entry: dict[str, Any], check: bool) -> Change | None:
    path, content = entry["path"], base64.b64decode(entry["content"])
    before = None
    if os.path.isfile(path):
        with open(path, "rb") as file:
            before = file.read()
    if before == content and not _attributes_differ(entry):
        return None
    if not check:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            _set_attributes(entry, temporary)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    if before == content:
        return {"before": "other owner or mode\n", "after": f"mode {entry['mode']}\n"}
    if entry["secret"]:
        return {"before": "" if before is None else "(secret, the old one)\n", "after": "(secret, not shown)\n"}
    return {"before": (before or b"").decode(errors="replace"), "after": content.decode(errors="replace")}


def write(entry: dict[str, Any], check: bool) -> Change | None:
    """Make one entry so; return what changed, or nothing."""
    if entry["content"] is not None:
        return _file(entry, check)
    writers = {
        "directory": _directory,
        "absent": _absent,
        "no_tree": _no_tree,
        "link": _link,
        "swept": _swept,
        "vacant": _vacant,
    }
    return writers[entry["state"]](entry, check)


def main() -> None:
    """Write all entries; name the one that failed."""
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str", "no_log": True},
                    "state": {
                        "type": "str",
                        "choices": ["directory", "absent", "no_tree", "link", "swept", "vacant"],
                        "default": "directory",
                    },
                    "pattern": {"type": "str"},
                    "keep": {"type": "list", "elements": "str", "default": []},
                    "target": {"type": "path"},
                    "owner": {"type": "str"},
                    "group": {"type": "str"},
                    "mode": {"type": "str"},
                    "secret": {"type": "bool", "default": False},
                },
            }
        },
        supports_check_mode=True,
    )
    changed: dict[str, bool] = {}
    diffs = []
    for entry in module.params["files"]:
        path = entry["path"]
        try:
            change = write(entry, module.check_mode)
        except KeyError as error:
            module.fail_json(
                msg=f"{path}: there is no user or group {error} on this host; host_manage_users would create it",
                files=changed,
            )
        except OSError as error:
            module.fail_json(msg=f"{path} cannot be written: {error.strerror}", files=changed)
        changed[path] = change is not None
        if change is not None:
            diffs.append({"before_header": path, "after_header": path, **change})
    module.exit_json(changed=any(changed.values()), files=changed, diff=diffs)


if __name__ == "__main__":
    main()
