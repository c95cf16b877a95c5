#!/usr/bin/env python3
"""Back up Redis: snapshot, copy, prove, rotate, copy off the host. Managed by Ansible: edit templates/, then `make deploy`.

    backup.py CONFIG [INSTANCE …]     once, now; exits 1 where an instance failed
    backup.py CONFIG --loop           at the times of the configuration, for managers without a timer

Per instance: BGSAVE, then the file is copied under a checksum, read back by redis-check-rdb, and rotated. BGSAVE asks
for no right to read data, and a failed one stops no writes where `save` is empty. What came of it stands in
DIRECTORY/INSTANCE/state.json.

Standard library only, Python 3.9 or newer, and no template in it: what is tested is what is shipped.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

Config = dict[str, Any]

ANSWER = 30  # seconds that Redis may take for one answer
POLL = 0.2  # seconds between two looks at a snapshot
LOOK = 20  # seconds between two looks at the clock
BLOCK = 1024 * 1024
DIGITS = 12  # of a checksum, as people compare them
BUSY = re.compile(r"already in progress|child process is active", re.IGNORECASE)
REFUSAL = re.compile(r"(ERR|NOAUTH|WRONGPASS|NOPERM|MISCONF|OOM|LOADING|READONLY|MASTERDOWN)\b")


class Failed(Exception):  # noqa: N818 - it is the sentence that a person reads
    """This backup failed; the message says why and what helps."""


def ask(instance: Config, *words: str) -> str:
    """Ask Redis. The password goes by the environment: arguments show in ps.

    Raises:
        Failed: if it does not answer, or answers with an error (redis-cli exits 0 then).
    """
    environment = dict(os.environ)
    if instance["password"]:
        environment["REDISCLI_AUTH"] = instance["password"]
    try:
        done = subprocess.run(
            [*instance["command"], "--no-auth-warning", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"redis-cli does not answer: {error}") from error
    answer = done.stdout.strip()
    if "AUTH failed" in done.stderr:
        raise Failed(f"Redis refuses the password ({done.stderr.strip()}): `make deploy` writes the valid one")
    if done.returncode or REFUSAL.match(answer):
        raise Failed(f"Redis does not do {words[0]}: {answer or done.stderr.strip()}")
    return answer


def info(instance: Config) -> dict[str, str]:
    """Return what INFO says."""
    return dict(line.strip().split(":", 1) for line in ask(instance, "INFO").splitlines() if ":" in line)


def file_id(path: Path) -> tuple[int, int] | None:
    """Return what changes when Redis puts a new snapshot in place."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def check_space(found: dict[str, str], *folders: Path) -> None:
    """Refuse before a full disk does: that would meet the append-only file as well.

    Raises:
        Failed: where a folder's disk has less room than the data set takes in memory.
    """
    need = int(found.get("used_memory_dataset", "0"))
    for folder in folders:
        free = shutil.disk_usage(folder).free
        if free < need:
            raise Failed(f"{folder} has {free} bytes free, and the data set takes {need} in memory: make room")


def snapshot(instance: Config, folder: Path, deadline: float) -> Path:
    """Have Redis write a snapshot; return its path.

    Raises:
        Failed: if it cannot, or not in time.
    """
    path = Path(instance["data"]) / "dump.rdb"
    asked = False
    before = None
    while True:
        found = info(instance)
        busy = found["rdb_bgsave_in_progress"] == "1"
        if asked and not busy:
            if file_id(path) != before:
                return path
            raise Failed(
                f"the snapshot failed ({found['rdb_last_bgsave_status']}): its log says why; a full disk is the usual reason"
            )
        # A child that rewrites the append-only file goes first: two forks at once double the memory that is copied.
        if not busy and found["aof_rewrite_in_progress"] == "0":
            check_space(found, path.parent, folder)
            before = file_id(path)
            try:
                ask(instance, "BGSAVE")
                asked = True
            except Failed as failed:
                if not BUSY.search(str(failed)):  # it has forked since the last look: wait for that
                    raise
        if time.monotonic() > deadline:
            raise Failed("the snapshot was not written in time: set a longer backup_timeout")
        time.sleep(POLL)


def digest_of(path: Path) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def copy_file(source: Path, target: Path) -> tuple[int, str]:
    """Copy a file to the disk, not to its cache alone; return bytes and sha256."""
    digest = hashlib.sha256()
    size = 0
    # An open file stays what it is, even if Redis puts a newer snapshot in its place.
    with source.open("rb") as reading, target.open("wb") as writing:
        while block := reading.read(BLOCK):
            digest.update(block)
            size += len(block)
            writing.write(block)
        writing.flush()
        os.fsync(writing.fileno())
    return size, digest.hexdigest()


def prove(server: str, path: Path) -> tuple[int, int]:
    """Read a snapshot as Redis would; return its keys, and those of them that expire.

    Raises:
        Failed: if it is damaged.
    """
    # redis-check-rdb is redis-server by another name: of the same version, and there wherever Redis is.
    done = subprocess.run(
        ["redis-check-rdb", str(path)],  # noqa: S607
        executable=shutil.which(server),
        capture_output=True,
        text=True,
        check=False,
    )
    keys, expires = (re.search(rf"(\d+) {word}", done.stdout) for word in ("keys read", "expires"))
    if done.returncode or not keys or not expires:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("[info]")]
        raise Failed(f"{path.name} is damaged, says redis-check-rdb: {' '.join(lines[-2:])}")
    return int(keys[1]), int(expires[1])


def sync_folder(folder: Path) -> None:
    """Have the names of a folder reach the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rotate(folder: Path, keep: int) -> None:
    """Delete all but the newest backups, and what a run that was cut off has left."""
    for old in sorted(folder.glob("*.rdb"))[:-keep]:
        old.unlink()
    for left in [*folder.glob("*.partial"), *folder.glob("*.sha256")]:
        if left.suffix == ".partial" or not left.with_suffix("").exists():
            left.unlink()


def copy_off(copy: Config, instance: str, backup: Path) -> str:
    """Copy a backup and its checksum off the host; return where it is.

    Raises:
        Failed: if it did not arrive.
    """
    files = [backup, Path(f"{backup}.sha256")]
    if copy["to"].startswith("/"):
        return _copy_to_mount(Path(copy["to"]), Path(copy["host"]) / instance, files)
    shell = ["ssh", "-F", "none", "-i", copy["key"], "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
    shell += ["-o", f"UserKnownHostsFile={copy['known_hosts']}", "-o", "StrictHostKeyChecking=yes"]
    shell += ["-o", "ConnectTimeout=20", "-p", str(copy["port"])]
    target = f"{copy['to']}/{copy['host']}/{instance}/"
    command = ["rsync", "--times", "--mkpath", "--timeout=120", f"--rsh={' '.join(shell)}", *map(str, files), target]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(
            f"the copy to {target} failed: {' '.join(done.stderr.split()) or f'rsync exits {done.returncode}'}"
        )
    return target + backup.name


def _copy_to_mount(root: Path, below: Path, files: list[Path]) -> str:
    if not root.is_dir():
        raise Failed(f"the copy failed: there is no {root}")
    if root.stat().st_dev == files[0].stat().st_dev:
        raise Failed(f"the copy failed: {root} is on the same file system as {files[0].parent}: it is not mounted")
    folder = root / below
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            partial = folder / f"{file.name}.partial"
            digest = copy_file(file, partial)[1]
            if digest_of(partial) != digest:
                raise Failed(f"the copy failed: {partial} is not what was written to it")
            partial.replace(folder / file.name)
        sync_folder(folder)
    except OSError as error:
        raise Failed(f"the copy failed: {error}") from error
    return str(folder / files[0].name)


def read_state(folder: Path) -> Config:
    """Return what came of the last run."""
    try:
        state: Config = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state


def write_state(folder: Path, state: Config) -> None:
    """Keep what came of this run: whole or not at all."""
    partial = folder / "state.json.partial"
    partial.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / "state.json")


def back_up(config: Config, instance: Config, folder: Path) -> Config:
    """Make, prove and copy one backup; return what is known of it.

    Raises:
        Failed: if it is not there in the end.
    """
    started = time.time()
    deadline = time.monotonic() + config["timeout"]
    source = snapshot(instance, folder, deadline)
    name = f"{instance['name']}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(started))}.rdb"
    backup, partial = folder / name, folder / f"{name}.partial"
    try:
        size, digest = copy_file(source, partial)
        keys, expires = prove(config["server"], partial)
        # The checksum first: a backup that can be seen has one.
        (folder / f"{name}.sha256").write_text(f"{digest}  {name}\n", encoding="utf-8")
        partial.replace(backup)
        sync_folder(folder)
    except OSError as error:
        raise Failed(f"it cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return {
        "name": name,
        "taken": started,
        "size": size,
        "keys": keys,
        "expires": expires,
        "sha256": digest,
        "seconds": round(time.time() - started, 3),
    }


def run_instance(config: Config, instance: Config) -> str:
    """Back one instance up and keep what came of it; return the error, empty where all went well."""
    folder = Path(config["directory"]) / instance["name"]
    folder.mkdir(mode=0o700, exist_ok=True)
    state = {**read_state(folder), "tried": time.time(), "error": ""}
    try:
        made = back_up(config, instance, folder)
        state["last"] = {**made, "copied": ""}
        rotate(folder, config["keep"])
        if config["copy"]:
            state["last"]["copied"] = copy_off(config["copy"], instance["name"], folder / made["name"])
        print(
            f"{instance['name']}: {made['name']}, {made['size']} bytes, {made['keys']} keys, {made['seconds']:.1f} s, "
            f"sha256 {made['sha256'][:DIGITS]}, copy: {state['last']['copied'] or 'none'}",
            flush=True,
        )
    except (Failed, OSError) as failed:
        state["error"] = str(failed)
        print(f"{instance['name']}: no backup: {failed}", file=sys.stderr, flush=True)
    write_state(folder, state)
    return str(state["error"])


def run(config: Config, names: list[str]) -> int:
    """Back instances up, one after the other; return how many failed."""
    directory = Path(config["directory"])
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be under way
        chosen = [instance for instance in config["instances"] if not names or instance["name"] in names]
        return sum(bool(run_instance(config, instance)) for instance in chosen)


def due(config: Config, now: float) -> bool:
    """Whether a time of the configuration has passed since the last try."""
    tried = [read_state(Path(config["directory"]) / one["name"]).get("tried", 0) for one in config["instances"]]
    today = time.localtime(now)
    times = [
        time.mktime((*today[:2], today[2] - back, int(at[:2]), int(at[3:]), 0, 0, 0, -1))
        for at in config["at"]
        for back in (0, 1)
    ]
    return bool(max(moment for moment in times if moment <= now) > min(tried))


def main(arguments: list[str]) -> int:
    """Run once or for ever."""
    parser = argparse.ArgumentParser(description="Back up the Redis instances of a host.")
    parser.add_argument("config", type=Path)
    parser.add_argument("instances", nargs="*", metavar="INSTANCE")
    parser.add_argument("--loop", action="store_true", help="run at the times of the configuration, for ever")
    args = parser.parse_args(arguments)
    os.umask(0o077)
    config: Config = json.loads(args.config.read_text(encoding="utf-8"))
    unknown = set(args.instances) - {instance["name"] for instance in config["instances"]}
    if unknown:
        parser.error(f"no backup of {', '.join(sorted(unknown))} is configured in {args.config}")
    while args.loop:
        if due(config, time.time()):
            run(config, [])
        time.sleep(LOOK)
    return int(run(config, args.instances) > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
