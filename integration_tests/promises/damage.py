"""Data of Redis that are not what they were, and Redis started on them."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from redis import RedisError

from bench.host import Said
from bench.stack import BROKER_DATA, Stack
from integration_tests.checkout import CHECKOUT
from integration_tests.promises.kept import START, data
from integration_tests.waiting import wait_until

AOF = "appendonlydir"
MANIFEST = "appendonly.aof.manifest"
GUARD = CHECKOUT / "templates" / "opt" / "redis" / "guard.py"
PYTHON = "/opt/celery/current/venv/bin/python"  # of the image of workers


@contextlib.contextmanager
def stopped(stack: Stack) -> Iterator[Path]:
    """Stop Redis, as its manager does, and give its data to a block; at the end it starts anew, with none."""
    stack.redis.stop()
    folder = data(stack)
    try:
        yield folder
    finally:
        stack.redis.stop()
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        stack.redis.start()


def written(folder: Path) -> Path:
    """Return the file that commands were appended to last."""
    return max((folder / AOF).glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))


def comes_up(stack: Stack) -> bool:
    """Start Redis; return whether it answers, or gives up and is started again and again."""
    stack.redis.start()

    def verdict() -> str:
        with contextlib.suppress(RedisError, OSError), stack.client() as client:
            if client.ping():
                return "up"
        return "down" if stack.redis.restarts else ""

    return wait_until("an answer of Redis, or its end", verdict, START) == "up"


def beside(stack: Stack, image: str, *command: str, mounts: Mapping[Path, str] | None = None) -> Said:
    """Run a command in a container of its own, with the files and the data of Redis.

    Args:
        stack: whose Redis it is.
        image: of the container.
        command: to run.
        mounts: further files, path here → path there.
    """
    volumes = {str(here): {"bind": there, "mode": mode} for here, there, mode in stack.redis.service.volumes}
    volumes[str(data(stack))] = {"bind": BROKER_DATA, "mode": "rw"}
    volumes |= {str(here): {"bind": there, "mode": "ro"} for here, there in (mounts or {}).items()}
    box = stack.run.client.containers.run(
        image,
        list(command),
        entrypoint="",
        user=stack.redis.service.user,
        volumes=volumes,
        labels=stack.run.labels,
        detach=True,
    )
    try:
        code = int(box.wait()["StatusCode"])
        return Said(code, box.logs().decode(errors="replace"))
    finally:
        box.remove(force=True)


def guarded(stack: Stack) -> Said:
    """Start the guard as a host does, before a program that does nothing; it decides by the rendered file."""
    image = stack.fleet.celery_hosts()[0].stack.stack_image_worker
    guard = "/opt/redis/guard.py"
    return beside(stack, image, PYTHON, guard, "true", "/etc/redis/broker.conf", mounts={GUARD: guard})


def snapshot(stack: Stack) -> None:
    """Write an RDB file of the data beside the append-only file, as a backup does."""
    with stack.client() as client:
        client.bgsave()
    dump = data(stack) / "dump.rdb"
    wait_until("a snapshot", lambda: dump.exists() and not stack.info("persistence")["rdb_bgsave_in_progress"], START)


def lose(folder: Path, missing: str) -> None:
    """Remove the manifest of the append-only file, or all of it."""
    if missing == "manifest":
        (folder / AOF / MANIFEST).unlink()
    else:
        shutil.rmtree(folder / AOF)
