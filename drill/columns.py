"""Tables of figures, in a terminal and in a pipe."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console
from rich.table import Table

from verify.report import unbroken


def table(*columns: str) -> Table:
    """Return an empty table without a frame; columns whose name begins with > are figures."""
    shape = Table(box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        shape.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", overflow="fold")
    return shape


def seconds(value: float | None, digits: int = 3) -> str:
    """Return "0.042 s", or a dash for what there is not."""
    return "-" if value is None else f"{value:.{digits}f} s"


def show(*shapes: Table, stream: TextIO | None = None) -> None:
    """Print tables, an empty line behind each; in a pipe no line is broken.

    Args:
        shapes: what is shown.
        stream: standard output by default.
    """
    console = Console(file=stream or sys.stdout, highlight=False)
    for shape in shapes:
        if console.is_terminal:
            console.print(shape)
        else:
            print(unbroken(shape), file=console.file)
        print(file=console.file)
