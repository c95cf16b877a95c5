"""Send a task and wait for it, for each line that comes in; print the seconds.

A process of its own, so that it is configured as the side's clients are.
"""

from __future__ import annotations

import sys
import time

from tasks.app import app
from tasks.probe.basic import add


def main() -> None:
    """Answer line by line."""
    app.loader.import_default_modules()
    for _ in sys.stdin:
        begin = time.perf_counter()
        add.delay(1, 2).get(timeout=30)
        print(time.perf_counter() - begin, flush=True)


if __name__ == "__main__":
    main()
