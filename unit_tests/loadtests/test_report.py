"""Promise: a run's page says what became of it, shows what was measured, and is only that: no script, no network."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from loadtests.figures import Figures
from loadtests.record import Record
from loadtests.report import lines, tables, write_report
from unit_tests.loadtests.records import MIB, RATE, fault, profile, record, verdict

HOSTILE = "</td><script>alert('x')</script>&$\\frac{"


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []  # what it would fetch
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and not (value or "").startswith("#"):
                self.loads.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def page(folder: Path, of: Record | None = None, **otherwise: Any) -> Page:
    return Page(write_report(of or record(**otherwise), folder).read_text(encoding="utf-8"))


def test_a_run_that_keeps_its_objectives_says_so_first(tmp_path: Path) -> None:
    said = page(tmp_path, verdicts=[verdict(), verdict("queue_wait_p95")]).text
    assert "kept. 2 objectives kept." in said
    assert "end_to_end_p95 at most 0.2 s 0.1 s kept" in said


def test_a_missed_objective_is_named_with_its_value(tmp_path: Path) -> None:
    said = page(tmp_path, verdicts=[verdict(), verdict("end_to_end_p99", 0.9)]).text
    assert "missed. 1 of 2 objectives missed: end_to_end_p99 at most 0.2 s: 0.9 s." in said


def test_what_was_not_measured_is_no_pass(tmp_path: Path) -> None:
    assert "end_to_end_p95 at most 0.2 s: not measured" in page(tmp_path, verdicts=[verdict(value=None)]).text


def test_a_slow_generator_voids_the_verdict(tmp_path: Path) -> None:
    made = record(verdicts=[verdict()])
    made.figures.complaint = "The generator was too slow."
    assert "void. The generator was too slow." in page(tmp_path, made).text


def test_it_shows_every_plot_and_the_command_that_does_it_again(tmp_path: Path) -> None:
    found = page(tmp_path)
    titles = ("Latency", "Queue wait", "Throughput", "Backlog", "Memory of Redis", "Memory of the workers")
    assert [title for title in titles if title not in found.text] == []
    assert found.tags.count("svg") == len(titles)
    assert "make load" in found.text


def test_objectives_and_faults_are_drawn_in(tmp_path: Path) -> None:
    said = page(tmp_path, verdicts=[verdict(), verdict("queue_wait_p99", bound=0.3)], faults=[fault()]).text
    assert "p95 at most 0.2 s" in said
    assert "p99 at most 0.3 s" in said
    assert "maxmemory" in said
    assert said.count("redis-kill") == 6 + 1  # every plot, and the table


def test_an_objective_of_one_task_is_drawn_into_a_plot_of_its_own(tmp_path: Path) -> None:
    assert "Latency of short, end to end" in page(tmp_path, verdicts=[verdict(task="short")]).text
    assert "Latency of short, end to end" not in page(tmp_path, verdicts=[verdict()]).text


def test_it_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    found = page(tmp_path, faults=[fault()])
    assert found.loads == []
    assert "script" not in found.tags


def test_no_id_of_a_plot_is_anothers(tmp_path: Path) -> None:
    ids = page(tmp_path).ids
    assert ids
    assert sorted(set(ids)) == sorted(ids)


def test_texts_of_the_run_are_texts_and_nothing_else(tmp_path: Path) -> None:
    made = record(
        HOSTILE,
        error=f"ValueError: {HOSTILE}",
        faults=[fault(HOSTILE)],
        verdicts=[verdict(task=HOSTILE, note=HOSTILE)],
        inventory=HOSTILE,
        command=HOSTILE,
        profile=profile(about="<b>bold</b>"),
    )
    made.samples[0].backlog[HOSTILE] = 1
    made.samples[0].workers["_" + HOSTILE] = MIB
    text = write_report(made, tmp_path).read_text(encoding="utf-8")
    found = Page(text)
    assert "script" not in found.tags
    assert "b" not in found.tags
    assert HOSTILE in found.text
    assert re.search(r"<(script|b)\b", text) is None
    assert text.count("_&lt;/td&gt;&lt;script&gt;") == 1, "a name that begins with _ is missing in the legend"


def test_the_page_of_locust_is_linked_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "locust.html").write_text("", encoding="utf-8")
    assert page(tmp_path).loads == ["locust.html"]


def test_earlier_runs_stand_beside_it_as_a_range(tmp_path: Path) -> None:
    before = [record(verdicts=[verdict(value=value)]) for value in (0.11, 0.09, 0.1)]
    text = write_report(record(verdicts=[verdict()]), tmp_path, before).read_text(encoding="utf-8")
    assert "0.1 s (0.09 s to 0.11 s, 3 runs)" in Page(text).text


def test_a_run_in_which_nothing_ended_has_a_page_too(tmp_path: Path) -> None:
    made = record(samples=[], drained=None, profile=profile(phases=[], trace="/there/is/no/trace"))
    made.figures = Figures(1.0)
    said = page(tmp_path, made).text
    assert "No task came to an end." in said
    assert "The queues were not empty when the run was given up." in said


def test_a_fault_during_which_no_result_came_is_in_its_second() -> None:
    ended, asked, failed = lines.throughput(record(error="lost: no result in 30 s"))
    assert (ended.name, ended.y[7], asked.y) == ("ended well", RATE, [RATE] * 10)
    assert failed.y == [0.0] * 7 + [1.0, 0.0, 0.0]


def test_latency_is_that_of_the_second_in_which_tasks_were_due() -> None:
    p50, p95, _ = lines.percentiles(record(), "end-to-end")
    assert (p50.y[6], p50.y[7]) == (0.012, 0.9)
    assert p95.y[0] == 0.014


def test_of_many_queues_the_small_ones_are_one_line() -> None:
    made = record()
    made.samples[3].backlog.update({f"queue{number}": number for number in range(1, 20)})
    found = lines.backlog(made)
    assert len(found) == lines.MOST + 1
    assert [line.name for line in found][-2:] == ["14 other queues", "held by workers"]
    assert found[-2].y[3] == sum(range(1, 14)) + 0


def test_what_was_warm_up_is_in_no_figure_of_the_table() -> None:
    (row,) = tables.tasks(record(profile=profile(warm_up=8)))
    assert (row["count"], row["p99"]) == (f"{2 * RATE}", "14 ms")


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [("bytes", 64 * MIB, "64.0 MiB"), ("s", 0.01234, "0.0123 s"), ("", 0, "0"), ("tasks/s", 1234.5, "1,234 tasks/s")],
)
def test_a_value_has_its_unit(unit: str, value: float, text: str) -> None:
    assert tables.shown(verdict(value=value, unit=unit), value) == text


def test_nothing_is_loaded_for_drawing_before_something_is_drawn() -> None:
    code = "import loadtests.report, sys; sys.exit('matplotlib' in sys.modules or 'locust' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
