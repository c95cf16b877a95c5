"""Measure the profiles, or those whose figure holds a word that is given: `… get limits`; exit 1 where a bound is exceeded."""

from __future__ import annotations

import sys

from benchmarks.profiles.measure import measure
from benchmarks.results import report

if __name__ == "__main__":
    try:
        rows = measure(*sys.argv[1:])
    except RuntimeError as error:
        sys.exit(f"nothing was measured: {error}")
    sys.exit(report(rows, " ".join(["python -m benchmarks.profiles", *sys.argv[1:]])))
