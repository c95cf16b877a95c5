"""Measure, print a table, write build/benchmark.json; exit 1 where a bound is exceeded."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import stage

RESULT = Path("build/benchmark.json")


def main() -> int:
    """Run every benchmark."""
    try:
        rows = stage.measure()
    except RuntimeError as error:
        print(f"nothing was measured: {error}", file=sys.stderr)
        return 1
    table = Table("figure", "value", "bound", "detail", title="make benchmark")
    for row in rows:
        table.add_row(
            str(row["figure"]), f"{row['value']} {row['unit']}", f"{row['bound']} {row['unit']}", str(row["detail"])
        )
    Console(width=120).print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    exceeded = [str(row["figure"]) for row in rows if float(str(row["value"])) > float(str(row["bound"]))]
    if exceeded:
        print(f"exceeded: {', '.join(exceeded)}", file=sys.stderr)
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
