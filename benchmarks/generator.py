"""What a task costs the generator of loadtests/, against the user that one writes first, and against real workers."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.locustfiles import FILE
from integration_tests.load.stack import SETTINGS, Stack, started
from integration_tests.waiting import wait_until
from loadtests.generator.target import VARIABLE

PAIRS = 5
SECONDS = 5
ROOM = "1gb"  # results stay: six runs of 20,000 tasks a second leave some 400 MB
TIMEOUT = 60.0  # seconds that a run may take
# users of each: where each is fastest
USERS = {"ours": 500, "obvious": 10}
# What issue "Load tests" asks for.
TASK_ALLOWED = 1e6 / 15_000  # µs, submitted and awaited
RATIO_ALLOWED = 1 / 20
CPU_ALLOWED = 1 / 5
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Window:
    """What one run did."""

    tasks: float
    seconds: float
    cpu: float
    all_tasks: float  # with those of the warm-up
    failures: float
    errors: str  # how many of which

    @property
    def each(self) -> float:
        """Microseconds per task."""
        return 1e6 * self.seconds / self.tasks

    @property
    def cpu_each(self) -> float:
        """Microseconds of the CPU per task."""
        return 1e6 * self.cpu / self.tasks


def run(stack: Stack, user: str, users: int) -> Window:
    """Run Locust with a number of users.

    Raises:
        RuntimeError: if it fails, or one of its tasks did.
    """
    file = stack.folder / "window.json"
    log = stack.folder / "locust.log"
    file.unlink(missing_ok=True)
    environment = {**stack.environment, VARIABLE: str(stack.target_file), FILE: str(file)}
    locustfile = Path(__file__).parent / "locustfiles" / f"{user}.py"
    command = [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--only-summary"]
    command += ["-u", str(users), "-r", str(users), "-t", f"{SECONDS}s"]
    with started(command, log, environment) as process:
        # Not its end: users of Celery's own client may hang while Locust stops them.
        try:
            wait_until("Locust has measured", lambda: file.exists() or process.poll() is not None, TIMEOUT)
        except AssertionError as error:
            raise RuntimeError(f"{user}: {error}") from None
    if not file.exists():
        raise RuntimeError(f"{user} measured nothing:\n{log.read_text(encoding='utf-8')[-2000:]}")
    window = Window(**json.loads(file.read_text(encoding="utf-8")))
    if window.failures or window.tasks <= 0:
        raise RuntimeError(f"{user}: {window.failures:g} of {window.tasks:g} tasks failed: {window.errors}")
    return window


@contextmanager
def echo(stack: Stack) -> Iterator[None]:
    """Run the echo consumer."""
    command = [sys.executable, "-m", "loadtests.generator.echo"]
    target = stack.folder / "worker.json"
    stack.target("worker").write(target)
    environment = {**stack.environment, VARIABLE: str(target)}
    with started(command, stack.folder / "echo.log", environment):
        yield


def cpu_of(pid: int) -> float:
    """Return the seconds of the CPU that a process and its children have used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(cpu_of(int(child)) for child in children)


def pairs(one: Callable[[], Window], other: Callable[[], Window]) -> list[tuple[Window, Window]]:
    """Run both in turn, after one run of each that is not counted."""
    one(), other()
    return [(one(), other()) for _ in range(PAIRS)]


def measure() -> list[dict[str, object]]:
    """Return a row per figure: name, value, unit, bound, and what it is compared with.

    Raises:
        RuntimeError: if a run fails.
    """
    with tempfile.TemporaryDirectory() as name:
        stack = Stack(Path(name) / "stack", {**SETTINGS, "redis_maxmemory": ROOM})
        stack.stage()
        with stack.redis_server():
            with echo(stack):
                found = pairs(
                    lambda: run(stack, "ours", USERS["ours"]), lambda: run(stack, "obvious", USERS["obvious"])
                )
            workers = [_against_a_worker(stack) for _ in range(PAIRS)]
    ours, obvious = [a for a, _ in found], [b for _, b in found]
    return [
        {
            "figure": "a no-op task, submitted and awaited",
            "value": round(median(window.each for window in ours), 1),
            "unit": "µs",
            "bound": round(TASK_ALLOWED, 1),
            "detail": f"{_rates(ours)}/s at {_cpus(ours)} µs of the CPU each, one process, echo consumer; "
            f"medians of {PAIRS} runs",
        },
        {
            "figure": "the same / delay().get()",
            "value": round(median(a.each / b.each for a, b in found), 3),
            "unit": "times",
            "bound": RATIO_ALLOWED,
            "detail": f"{_rates(obvious)}/s at {_cpus(obvious)} µs of the CPU each; medians of {PAIRS} pairs",
        },
        {
            "figure": "CPU per task: generator / worker",
            "value": round(median(window.cpu_each / worker for window, worker in workers), 2),
            "unit": "times",
            "bound": CPU_ALLOWED,
            "detail": f"{median(window.cpu_each for window, _ in workers):.0f} µs / "
            f"{median(worker for _, worker in workers):.0f} µs, one worker with Celery's defaults: prefork, 2 children; medians of {PAIRS} runs",
        },
    ]


def _against_a_worker(stack: Stack) -> tuple[Window, float]:
    """Return what a run against a real worker did, and the worker's microseconds of the CPU per task."""
    with stack.worker("prefork", concurrency=2) as process:
        before = cpu_of(process.pid)
        window = run(stack, "ours", USERS["obvious"])
        return window, 1e6 * (cpu_of(process.pid) - before) / window.all_tasks


def _rates(windows: list[Window]) -> str:
    return f"{median(window.tasks / window.seconds for window in windows):,.0f}"


def _cpus(windows: list[Window]) -> str:
    return f"{median(window.cpu_each for window in windows):.0f}"
