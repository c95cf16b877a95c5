"""Plots as SVG for a page: matplotlib without a window, and text that stays text."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from loadtests.figures import WAIT, WHOLE
from loadtests.record import Record
from loadtests.report import lines

if TYPE_CHECKING:  # a quarter of a second, which only who draws shall pay
    from matplotlib.axes import Axes

SIZE = (9.0, 3.0)  # inches
COLOURS = ("#1f6fb4", "#e07b00", "#c0227a", "#2a8a3e", "#6b4fa0", "#8a5a2b", "#11a0a0", "#707070")
FAULT, WARM_UP, BOUND = "#d62728", "#9aa5b1", "#b00020"
MIB = 1024**2
NUMBERED = re.compile(r' id="[A-Za-z0-9.]+_\d+"')
# Text stays text, which is small, can be searched and read aloud; and it is that of the run: no formula begins in it.
STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e6ea",
    "axes.titlesize": 10,
}


class Plot:
    """One that is being drawn."""

    def __init__(self, axes: Axes) -> None:
        """Draw into these axes."""
        self.axes = axes
        self.svg = ""


@contextmanager
def plot(name: str, x: str, y: str) -> Iterator[Plot]:
    """Yield empty axes; afterwards their `svg` is an SVG element that can stand in a page.

    Args:
        name: a word of its own in the page.
        x: of the axis, with its unit.
        y: of the axis, with its unit.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, "svg.hashsalt": name, "svg.id": name}):
        figure = Figure(figsize=SIZE, layout="constrained")
        drawn = Plot(figure.subplots())
        drawn.axes.set(xlabel=x, ylabel=y)
        yield drawn
        if drawn.axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside right upper", frameon=False)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = out.getvalue()
    # What comes before is of a file of its own; numbered ids name nothing, and are the same in every plot.
    drawn.svg = NUMBERED.sub("", text[text.index("<svg") :])


def label(text: str) -> str:
    """Return a text of the run as matplotlib takes it: what begins with _ would be left out of the legend."""
    return f"\u200b{text}" if text.startswith("_") else text


def curves(axes: Axes, of: Iterable[lines.Line], scale: float = 1.0) -> None:
    """Draw lines, each in a colour of its own."""
    for number, line in enumerate(of):
        values = [value / scale for value in line.y]
        style = "--" if line.name == "asked for" else "-"
        axes.plot(
            line.x,
            values,
            style,
            label=label(line.name),
            color=COLOURS[number % len(COLOURS)],
            linewidth=1.4,
        )


def bound(axes: Axes, value: float, name: str, colour: str = BOUND) -> None:
    """Draw what must not be exceeded."""
    axes.axhline(value, color=colour, linewidth=1.1, linestyle=":", label=label(name))


def drawn(record: Record) -> list[tuple[str, str]]:
    """Return the plots of a run that have something to show: what they are called, and their SVG."""
    found = [_times("Latency, end to end", record, WHOLE)]
    for task in record.figures.tasks:
        if lines.bounds(record, WHOLE, task):
            found.append(_times(f"Latency of {task}, end to end", record, WHOLE, task))
    found.append(_times("Queue wait", record, WAIT))
    for task in record.figures.tasks:
        if lines.bounds(record, WAIT, task):
            found.append(_times(f"Queue wait of {task}", record, WAIT, task))
    found.append(_plain("Throughput", record, lines.throughput(record), "tasks per second"))
    found.append(_plain("Backlog", record, lines.backlog(record), "messages"))
    found.append(_memory("Memory of Redis", record, lines.redis_memory(record), record.redis_maxmemory))
    found.append(_memory("Memory of the workers", record, lines.worker_memory(record)))
    return [one for one in found if one]


def _times(title: str, record: Record, kind: str, task: str | None = None) -> tuple[str, str] | None:
    """Draw p50, p95 and p99; a stall spans decades, so the axis is logarithmic."""
    known = lines.percentiles(record, kind, task)
    if not known:
        return None
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    with plot(_word(title), "seconds since the first arrival", "") as made:
        curves(made.axes, known)
        _shade(made.axes, record)
        for number, name in enumerate(lines.SHARES):
            for verdict in lines.bounds(record, kind, task):
                if verdict.measure.endswith(name):
                    bound(made.axes, verdict.bound, f"{name} at most {verdict.bound:g} s", COLOURS[number])
        made.axes.set_yscale("log")
        made.axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        made.axes.yaxis.set_major_formatter(EngFormatter(unit="s"))
        made.axes.yaxis.set_minor_formatter(NullFormatter())
    return title, made.svg


def _plain(title: str, record: Record, of: Sequence[lines.Line], unit: str) -> tuple[str, str] | None:
    if not of:
        return None
    with plot(_word(title), "seconds since the first arrival", unit) as made:
        curves(made.axes, of)
        _shade(made.axes, record)
        made.axes.set_ylim(bottom=0)
    return title, made.svg


def _memory(title: str, record: Record, of: Sequence[lines.Line], most: int = 0) -> tuple[str, str] | None:
    if not of:
        return None
    with plot(_word(title), "seconds since the first arrival", "MiB") as made:
        curves(made.axes, of, MIB)
        _shade(made.axes, record)
        if most:
            bound(made.axes, most / MIB, "maxmemory")
        made.axes.set_ylim(bottom=0)
    return title, made.svg


def _shade(axes: Axes, record: Record) -> None:
    """Shade what is not measured, and the faults, with their names above."""
    if record.profile.warm_up:
        axes.axvspan(0, record.profile.warm_up, color=WARM_UP, alpha=0.25, linewidth=0, label="warm-up, not measured")
    for fault in record.faults:
        axes.axvspan(fault.at, max(fault.until, fault.at + 0.2), color=FAULT, alpha=0.18, linewidth=0)
        axes.annotate(
            label(fault.name), (fault.at, 1), xycoords=("data", "axes fraction"), va="bottom", fontsize=8, color=FAULT
        )


def _word(title: str) -> str:
    """Return a word of the title that may stand in an id."""
    return "plot-" + "".join(sign if sign.isalnum() and sign.isascii() else "-" for sign in title.lower())
