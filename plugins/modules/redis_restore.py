#!/usr/bin/python
"""Put a data set in the place of another, which is moved aside. Standard library only."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_restore
short_description: Stage an RDB file beside the data of a stopped Redis, then swap the two
description:
  - With C(backup) it copies that file, below its checksum, to a staging directory in the data directory. The data of
    the instance are not touched.
  - Without, it moves the data of the instance aside, never to be deleted by us, and what was staged into their place.
options:
  directory: {description: Data directory of the instance., type: path, required: true}
  staged: {description: Name of the staging directory in it., type: str, required: true}
  backup: {description: RDB file to stage., type: path}
  sha256: {description: Its checksum., type: str}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [The authors of this repository (@authors)]
"""
EXAMPLES = r"""
- name: Stage it
  redis_restore: {directory: /var/lib/redis/broker, staged: .restore, backup: /var/backups/redis/broker/x.rdb, sha256: "…"}
- name: Swap
  redis_restore: {directory: /var/lib/redis/broker, staged: .restore}
"""
RETURN = r"""
aside: {description: Where the data are that were there before., returned: after a swap, type: str}
"""

import hashlib
import os
import shutil
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

BLOCK = 1024 * 1024
# What Redis keeps in its data directory.
DATA = ("dump.rdb", "appendonly.aof", "appendonlydir")


def stage(module: AnsibleModule, directory: str, staged: str) -> None:
    """Copy the backup below its checksum, for the owner of the data."""
    owner = os.stat(directory)
    if os.path.isdir(staged):
        shutil.rmtree(staged)  # what a restore that was cut off has left: a copy
    os.mkdir(staged, 0o750)
    target = os.path.join(staged, "dump.rdb")
    digest = hashlib.sha256()
    try:
        with open(module.params["backup"], "rb") as reading, open(target, "wb") as writing:
            for block in iter(lambda: reading.read(BLOCK), b""):
                digest.update(block)
                writing.write(block)
            writing.flush()
            os.fsync(writing.fileno())
    except OSError as error:
        shutil.rmtree(staged)
        module.fail_json(msg=f"{target} cannot be written: {error.strerror}. The data are as they were.")
    if digest.hexdigest() != module.params["sha256"]:
        shutil.rmtree(staged)
        module.fail_json(msg=f"{module.params['backup']} changed while it was read. The data are as they were.")
    os.chmod(target, 0o640)
    for path in (staged, target):
        os.chown(path, owner.st_uid, owner.st_gid)


def swap(directory: str, staged: str) -> str:
    """Move the data aside and what was staged in; return where they are now."""
    owner = os.stat(directory)
    aside = os.path.join(directory, time.strftime("before-restore-%Y%m%dT%H%M%S"))
    os.mkdir(aside, 0o750)
    os.chown(aside, owner.st_uid, owner.st_gid)
    for source, target in ((directory, aside), (staged, directory)):
        for name in DATA:
            if os.path.exists(os.path.join(source, name)):
                os.rename(os.path.join(source, name), os.path.join(target, name))
    shutil.rmtree(staged)
    handle = os.open(directory, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    return aside


def main() -> None:
    """Stage or swap."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "staged": {"type": "str", "required": True},
            "backup": {"type": "path"},
            "sha256": {"type": "str"},
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    if module.check_mode:
        module.exit_json(changed=True)
    staged = os.path.join(params["directory"], params["staged"])
    if params["backup"]:
        stage(module, params["directory"], staged)
        module.exit_json(changed=True)
    if not os.path.isdir(staged):
        module.fail_json(msg=f"Nothing was staged in {staged}. The data are as they were.")
    module.exit_json(changed=True, aside=swap(params["directory"], staged))


if __name__ == "__main__":
    main()
