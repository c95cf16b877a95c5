#!/usr/bin/env python3
"""Start Redis, unless it would start without its data. Managed by Ansible: edit templates/, then `make deploy`.

    guard.py SERVER … CONFIG    becomes `SERVER … CONFIG`, or exits 78 with the reason

CONFIG is the file that has the last word: the rendered one, which is included behind the one that Redis writes.

Redis reads the append-only file alone where appendonly is on. Without the file's manifest, or without the whole
folder beside a good RDB file, it starts EMPTY and says nothing (measured on 6.2.5, 7.0.15 and 8.0.2): the workers then find
no task, and the next rewrite makes it so for good. A first start has neither, and passes.

Standard library only, Python 3.9 or newer, and no template in it: what is tested is what is shipped.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import time

REFUSED = 78  # EX_CONFIG: the unit does not try again, as another try would find the same
USAGE = 64
# Opcodes of an RDB file that say nothing of data: auxiliary fields.
AUX, EOF = 0xFA, 0xFF


def directives(path: str) -> dict[str, str]:
    """Return the directives of a redis.conf; the last of a name holds, as in Redis."""
    found: dict[str, str] = {}
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            if line.strip() and not line.lstrip().startswith("#"):
                name, *words = shlex.split(line)
                found[name.lower()] = " ".join(words)
    return found


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Read an RDB length; return the bytes of text that follow and where they begin."""
    kind, low = data[at] >> 6, data[at] & 0x3F
    if kind == 0:
        return low, at + 1
    if kind == 1:
        return (low << 8) | data[at + 1], at + 2
    if kind == 3:  # an integer of 1, 2 or 4 bytes
        return 1 << low, at + 1
    return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5


def holds_data(path: str) -> bool:
    """Whether an RDB file holds anything beside its head. Reads the head alone: a file of gigabytes takes no longer."""
    with open(path, "rb") as file:
        head = file.read(4096)
    at = 9  # behind REDIS0010
    try:
        while head[at] == AUX:
            at += 1
            for _ in ("name", "value"):
                size, begin = _length(head, at)
                at = begin + size
        return head[at] != EOF
    except IndexError:
        return len(head) > 0  # a head that is not understood is no proof of emptiness


def _named_in(manifest: str) -> list[str]:
    """Return the files that a manifest needs; those of type h are history, and may be gone."""
    with open(manifest, encoding="utf-8", errors="surrogateescape") as file:
        lines = [shlex.split(line) for line in file if line.strip() and not line.startswith("#")]
    entries = [dict(zip(words[::2], words[1::2])) for words in lines]  # noqa: B905 - Python 3.9
    return [entry["file"] for entry in entries if "file" in entry and entry.get("type") != "h"]


def _parts(folder: str, name: str) -> list[tuple[int, str, str]]:
    """Return sequence, type (b or i) and name of the append-only files of a folder, in the order of a manifest."""
    pattern = re.compile(re.escape(name) + r"\.(\d+)\.(base|incr)\.(aof|rdb)")
    found = [(match, entry) for entry in os.listdir(folder) if (match := pattern.fullmatch(entry))]
    return sorted(((int(match[1]), match[2][0], entry) for match, entry in found), key=lambda part: (part[1], part[0]))


def _without_manifest(manifest: str, folder: str, name: str) -> str:
    parts = _parts(folder, name)
    if not parts:
        return ""
    names = ", ".join(entry for _, _, entry in parts)
    if sum(kind == "b" for _, kind, _ in parts) == 1:
        lines = "".join(f"file {entry} seq {number} type {kind}\\n" for number, kind, entry in parts)
        fix = f"printf '{lines}' > {manifest}, as the user of Redis, then start it again"
    else:
        fix = "which of them belong together only the manifest says: put it back from a copy of the disk, or `make restore FROM=latest`"
    return f"{manifest} is missing, and the data is there ({names}). What helps: {fix}"


def trouble(config: dict[str, str]) -> str:
    """Return why Redis would start without its data, and what helps; empty where it would not."""
    if config.get("appendonly", "no") != "yes":
        return ""
    data = config.get("dir", ".")
    name = config.get("appendfilename", "appendonly.aof")
    folder = os.path.join(data, config.get("appenddirname", "appendonlydir"))
    manifest = os.path.join(folder, f"{name}.manifest")
    if os.path.exists(manifest):
        gone = [entry for entry in _named_in(manifest) if not os.path.exists(os.path.join(folder, entry))]
        if gone:
            paths = ", ".join(os.path.join(folder, entry) for entry in gone)
            return f"{manifest} names {paths}, and it is missing. Put it back, or `make restore FROM=latest`"
        return ""
    if os.path.exists(os.path.join(data, name)):
        return ""  # the one file of Redis 6; a newer one takes it over
    if os.path.isdir(folder):
        lost = _without_manifest(manifest, folder, name)
        if lost:
            return lost
    snapshot = os.path.join(data, config.get("dbfilename", "dump.rdb"))
    if os.path.isfile(snapshot) and holds_data(snapshot):
        written = time.strftime("%Y-%m-%d %H:%M", time.localtime(os.path.getmtime(snapshot)))
        return (
            f"{snapshot} holds data of {written}, and appendonly is on without an append-only file: Redis would not read it. "
            f"To keep it, `make restore FROM={snapshot}`; to do without it, move it out of {data}"
        )
    return ""


def main(arguments: list[str]) -> int:
    """Check, then become the server."""
    if len(arguments) < 2:
        print("usage: guard.py SERVER [ARGUMENT …] CONFIG", file=sys.stderr)
        return USAGE
    try:
        found = trouble(directives(arguments[-1]))
    except (OSError, ValueError) as error:
        # Redis itself says best what is wrong with a file that it cannot read.
        print(f"guard: not checked: {error}", file=sys.stderr, flush=True)
        found = ""
    if found:
        print(f"Not started, as Redis would start EMPTY: {found}. Nothing was changed.", file=sys.stderr)
        return REFUSED
    os.execvp(arguments[0], arguments)  # noqa: S606 - it takes this process's place: its manager sees one process


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
