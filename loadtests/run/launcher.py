"""What runs on a generator host for the time of a run: Locust's workers, as children. Standard library only.

The operator's machine speaks to it over SSH, a line of JSON at a time:

    {"clock": true}                   → {"clock": seconds since the epoch}
    {"port": …, "processes": …, …}    → {"started": processes}, and for each that ends {"ended": exit code, "said": last line}

The input stays open as long as the run is wanted: at its end, whatever ended it, the children end and what was written
is removed. It is written to memory (`RuntimeDirectory=` of the unit, else /dev/shm): it holds a password.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

APP = Path(__file__).resolve().parents[2]
FOLDER = "@folder@"  # stands in the texts for the directory that they are written to
MEMORY = "/dev/shm"  # noqa: S108 - a private directory is made in it
LOOK = 0.2  # seconds between two looks at the children
GRACE = 10.0  # seconds that the other workers have, once one came to its end
KILL = 5.0  # seconds that a worker has to end when it is told to


def _say(**words: Any) -> None:
    print(json.dumps(words), flush=True)


def _job() -> dict[str, Any] | None:
    """Answer how late it is, until the job comes; None where none comes."""
    for line in iter(sys.stdin.buffer.readline, b""):
        asked: dict[str, Any] = json.loads(line)
        if not asked.get("clock"):
            return asked
        _say(clock=time.time())
    return None


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write what a run needs, for this user alone."""
    for name, text in files.items():
        with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text.replace(FOLDER, str(folder)))


def _start(folder: Path, job: dict[str, Any], number: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-B", "-m", "locust", "-f", "loadtests/locustfile.py", "--worker"]
    command += ["--master-host", "127.0.0.1", "--master-port", str(job["port"])]
    variables = {name: text.replace(FOLDER, str(folder)) for name, text in job["environment"].items()}
    with (folder / f"{number}.log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=APP,
            env={**os.environ, "HOME": str(folder), **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _wanted() -> bool:
    """Wait a moment; whether the other end is still there."""
    readable, _, _ = select.select([sys.stdin], [], [], LOOK)
    return not readable or bool(os.read(sys.stdin.fileno(), 4096))


def _watch(folder: Path, workers: list[subprocess.Popen[bytes]]) -> None:
    """Tell of each worker that ends, until all have, or nobody wants them any more."""
    running = dict(enumerate(workers))
    until = float("inf")
    while running and time.monotonic() < until and _wanted():
        for number in [number for number, worker in running.items() if worker.poll() is not None]:
            _say(ended=running.pop(number).returncode, said=_last_line(folder / f"{number}.log"))
            until = min(until, time.monotonic() + GRACE)


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.terminate()
    until = time.monotonic() + KILL
    for worker in workers:
        try:
            worker.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def main() -> None:
    """Serve one run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what is below is cleaned up
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the end of the input says it
    job = _job()
    if job is None:
        return
    given = os.environ.get("RUNTIME_DIRECTORY")
    folder = Path(given or tempfile.mkdtemp(prefix="locust-", dir=MEMORY if os.path.isdir(MEMORY) else None))
    workers: list[subprocess.Popen[bytes]] = []
    try:
        _write(folder, job["files"])
        workers += [_start(folder, job, number) for number in range(job["processes"])]
        _say(started=len(workers))
        _watch(folder, workers)
    finally:
        _end(workers)
        if not given:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
