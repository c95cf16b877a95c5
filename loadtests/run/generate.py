"""Locust as a process of its own: it patches the one that imports it, and a run must not share a CPU's lock with its observer."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.errors import NotPossible
from loadtests.figures import Figures
from loadtests.generator.target import VARIABLE, Target
from loadtests.schedule import schedule_of
from settings.model.load import LoadProfile

CHECKOUT = Path(__file__).resolve().parents[2]
LOCUSTFILE = CHECKOUT / "loadtests" / "locustfile.py"
REPORT, FIGURES, LIVE, LOG = "locust.html", "figures.json", "live.json", "locust.log"
TOO_SLOW = 3  # exit code of a saturated generator: loadtests/generator/open_model.py
ONE_FAILED = 1  # Locust's own exit code where a task failed; objectives judge that, not we
START = 30.0  # seconds that a start may take, and an end beyond the last limit
# Nice value: where the system under load shares this machine, a generator that waits for the CPU measures that.
FIRST = -10
LOOK = 0.25  # seconds between two looks at it
Live = Mapping[str, float]


def generate(
    target: Target,
    profile: LoadProfile,
    folder: Path,
    *,
    processes: int = 1,
    watch: Callable[[Live], None] = lambda _: None,
) -> Figures:
    """Run a workload to its end.

    Args:
        target: what is put under load.
        profile: the workload.
        folder: where Locust's report, log and figures go.
        processes: generators.
        watch: is called again and again with what is known so far: began (seconds since the epoch; 0: not yet),
            second, ended, failed, lost, rate, p50, p95 (ms).

    Returns:
        The figures. Their complaint tells a generator that was too slow: then they are not the system's.

    Raises:
        NotPossible: if the target cannot be reached, or the run comes to no end; the message is one sentence.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (FIGURES, LIVE):
        (folder / name).unlink(missing_ok=True)
    target.write(folder / "target.json")
    (folder / "profile.json").write_text(profile.model_dump_json(indent=1), encoding="utf-8")
    environment = {
        **os.environ,
        VARIABLE: str(folder / "target.json"),
        "LOAD_PROFILE": str(folder / "profile.json"),
        "LOAD_FIGURES": str(folder / FIGURES),
    }
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"]
    command += ["--html", str(folder / REPORT), *(["--processes", str(processes)] if processes > 1 else [])]
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        with contextlib.suppress(OSError):  # not root: then it takes its turn
            os.setpriority(os.PRIO_PROCESS, process.pid, FIRST)
        try:
            await_end(process, folder, time.monotonic() + longest(profile), watch)
        finally:
            end(process)
            (folder / "target.json").unlink()  # it holds a password
    if process.returncode not in (0, ONE_FAILED, TOO_SLOW) or not (folder / FIGURES).exists():
        raise NotPossible(last_words(folder / LOG))
    return Figures.read(folder / FIGURES)


def longest(profile: LoadProfile) -> float:
    """Return the seconds that a run may take, with its start and its end."""
    return schedule_of(profile).seconds + max(kind.limit + kind.countdown for kind in profile.tasks) + 2 * START


def await_end(
    process: subprocess.Popen[bytes],
    folder: Path,
    until: float,
    watch: Callable[[Live], None],
    look: Callable[[], None] = lambda: None,
) -> None:
    """Wait for the end of Locust.

    Args:
        process: Locust.
        folder: where it tells how far it is.
        until: when it has to have ended, by `time.monotonic`.
        watch: is told what it tells.
        look: is called now and then, and may end it.

    Raises:
        NotPossible: if it comes to none.
    """
    live = folder / LIVE
    while process.poll() is None:
        if time.monotonic() > until:
            raise NotPossible(f"the generator came to no end: see {folder / LOG}.")
        if live.exists():
            watch(json.loads(live.read_text(encoding="utf-8")))
        look()
        time.sleep(LOOK)


def end(process: subprocess.Popen[bytes]) -> None:
    """End it, with its children, however this ends."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(START)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def last_words(log: Path) -> str:
    """Return the last line that Locust wrote: what `sys.exit` said."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else f"the generator ended without a word: see {log}."
