"""Shows what was measured, and keeps it until docs/performance.md takes it over."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULT = Path("build/benchmark.json")
Row = Mapping[str, object]


def report(rows: Sequence[Row], command: str) -> int:
    """Print the rows and keep them; return 1 where a bound is exceeded.

    Args:
        rows: figure, value, unit, bound and detail of each.
        command: that measures them again.
    """
    table = Table("figure", "value", "bound", "detail", title=command)
    for row in rows:
        table.add_row(
            str(row["figure"]), f"{row['value']} {row['unit']}", f"{row['bound']} {row['unit']}", str(row["detail"])
        )
    Console(width=120).print(table)
    keep([{**row, "command": command, "date": time.strftime("%Y-%m-%d")} for row in rows], RESULT)
    over = [str(row["figure"]) for row in rows if exceeded(row)]
    if over:
        print(f"exceeded: {', '.join(over)}", file=sys.stderr)
    return 1 if over else 0


def exceeded(row: Row) -> bool:
    """Whether a figure is beyond its bound, which is the most that it may be."""
    return float(str(row["value"])) > float(str(row["bound"]))


def keep(rows: Sequence[Row], file: Path) -> None:
    """Put rows into a file, in place of those of the same figures."""
    kept = {str(row["figure"]): row for row in (*read(file), *rows)}
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(list(kept.values()), indent=1) + "\n", encoding="utf-8")


def read(file: Path) -> list[Row]:
    """Return the rows of a file; none where there is no file."""
    rows: list[Row] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return rows
