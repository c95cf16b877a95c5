"""How long one task takes, from delay() to its result, at a low rate: two sides, task by task in turn."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

from benchmarks.profiles.stack import Place, workers
from integration_tests.load.stack import REPOSITORY

TASKS, WARM_UP = 300, 20
PAUSE = 0.01  # seconds between two: nothing queues

Ask = Callable[[], float]


def both(ours: Place, theirs: Place) -> tuple[float, float]:
    """Return the medians of two sides, in seconds.

    In turn task by task, as the wake-up of an idle machine, which is much of such a time, changes from second to second.

    Raises:
        RuntimeError: if a task fails.
    """
    with workers(*ours), workers(*theirs), _client(ours) as our, _client(theirs) as their:
        pairs = [(_after_a_pause(our), _after_a_pause(their)) for _ in range(WARM_UP + TASKS)][WARM_UP:]
    return median(a for a, _ in pairs), median(b for _, b in pairs)


def _after_a_pause(ask: Ask) -> float:
    time.sleep(PAUSE)
    return ask()


@contextmanager
def _client(place: Place) -> Iterator[Ask]:
    """Run a client that is configured as the workers are; yield what has it send one task, and returns the seconds."""
    stack, side = place
    environment = {**side.environment, "PYTHONPATH": f"{side.environment['PYTHONPATH']}:{REPOSITORY}"}
    command = [sys.executable, "-m", "benchmarks.profiles.one_by_one"]
    log = stack.folder / f"{side.name}-client.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as client,
    ):

        def ask() -> float:
            print(file=client.stdin, flush=True)
            said = next(client.stdout or iter(()), "")
            if not said:
                raise RuntimeError(f"{side.name}: {log.read_text(encoding='utf-8')[-2000:]}")
            return float(said)

        try:
            yield ask
        finally:
            client.kill()
