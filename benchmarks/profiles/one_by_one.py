"""Send tasks one by one and wait for each: `python -m benchmarks.profiles.one_by_one COUNT`; prints the seconds of each.

A process of its own, so that it is configured as the side's clients are.
"""

from __future__ import annotations

import json
import sys
import time

from tasks.app import app
from tasks.probe.basic import add

PAUSE = 0.01  # seconds between two: a low rate, at which nothing queues
WARM_UP = 20


def main(count: int) -> None:
    """Measure, and print a list."""
    app.loader.import_default_modules()
    found = []
    for _ in range(WARM_UP + count):
        begin = time.perf_counter()
        add.delay(1, 2).get(timeout=30)
        found.append(time.perf_counter() - begin)
        time.sleep(PAUSE)
    print(json.dumps(found[WARM_UP:]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
