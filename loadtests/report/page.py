"""Writes a page: one file that holds all it shows. What stands in it comes from the run and is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadtests.record import Record
from loadtests.report import plots, tables
from loadtests.run.generate import REPORT as LOCUST

FOLDER = Path(__file__).parent
PAGE = "report.html"


def write_report(record: Record, folder: Path, baseline: Sequence[Record] = ()) -> Path:
    """Write the page of a run.

    Args:
        record: of the run.
        folder: where it goes; Locust's own page is linked where it lies beside it.
        baseline: earlier runs of the same profile, whose values stand beside this one's.

    Returns:
        The page.
    """
    return render(
        "run.html.j2",
        folder / PAGE,
        record=record,
        headline=tables.headline(record),
        objectives=tables.objectives(record, baseline),
        tasks=tables.tasks(record),
        errors=tables.errors(record),
        plots=plots.drawn(record),
        locust=LOCUST if (folder / LOCUST).exists() else "",
    )


def render(template: str, path: Path, **values: Any) -> Path:
    """Write a page out of a template of this folder.

    Args:
        template: its name.
        path: of the page; the folder is made.
        values: for the template. Texts are escaped; `plots` are title and SVG, which is not.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(environment.get_template(template).render(**values), encoding="utf-8")
    return path
