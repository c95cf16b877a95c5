"""Measure all, or the parts that are named; print a table, keep it in build/benchmark.json; exit 1 where a bound is exceeded."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence

from benchmarks import converge, generator, stage
from benchmarks.profiles import measure as profiles
from benchmarks.results import report
from engine.errors import NotPossible

INTERRUPTED = 130  # as a shell has it


def main(names: Sequence[str]) -> int:
    """Run the benchmarks of these names; without any, every one."""
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        print(f"ONLY={unknown[0]} is not known: choose of {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    # So that the containers are removed however it ends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        rows = [row for name in names or PARTS for row in PARTS[name]()]
    except RuntimeError as error:
        print(f"nothing was measured: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return report(rows, " ".join(["make benchmark", *([f'ONLY="{" ".join(names)}"'] if names else [])]))


def _converge() -> list[dict[str, object]]:
    """Compare on a host of our own, where this machine can have one."""
    try:
        return converge.measure()
    except NotPossible as error:
        print(f"the re-converge was not measured: {error}", file=sys.stderr)
        return []


PARTS: dict[str, Callable[[], list[dict[str, object]]]] = {
    "stage": stage.measure,
    "generator": generator.measure,
    "profiles": profiles.measure,
    "converge": _converge,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
