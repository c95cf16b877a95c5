"""Measure, print a table, write build/benchmark.json; exit 1 where a bound is exceeded."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import converge, generator, stage
from benchmarks.profiles import measure as profiles
from engine.errors import NotPossible

RESULT = Path("build/benchmark.json")
INTERRUPTED = 130  # as a shell has it


def main() -> int:
    """Run every benchmark."""
    # So that the containers are removed however it ends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        rows = [*stage.measure(), *generator.measure(), *profiles.measure(), *_converge()]
    except RuntimeError as error:
        print(f"nothing was measured: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return show(rows)


def show(rows: list[dict[str, object]]) -> int:
    """Print the rows; return 1 where a bound is exceeded."""
    table = Table("figure", "value", "bound", "detail", title="make benchmark")
    for row in rows:
        table.add_row(
            str(row["figure"]), f"{row['value']} {row['unit']}", f"{row['bound']} {row['unit']}", str(row["detail"])
        )
    Console(width=120).print(table)
    exceeded = [str(row["figure"]) for row in rows if float(str(row["value"])) > float(str(row["bound"]))]
    if exceeded:
        print(f"exceeded: {', '.join(exceeded)}", file=sys.stderr)
    return 1 if exceeded else 0


def _converge() -> list[dict[str, object]]:
    """Compare on a host of our own, where this machine can have one."""
    try:
        return converge.measure()
    except NotPossible as error:
        print(f"the re-converge was not measured: {error}", file=sys.stderr)
        return []


if __name__ == "__main__":
    sys.exit(main())
