"""A verdict is told to people in a table and to machines in JSON, and says what is not there as such."""

from __future__ import annotations

import io
import json

from drill.checker import judge
from drill.report import as_dict, tell
from unit_tests.drill.runs import fault, ran, sent

RUN = [
    *sent("a", 1),
    *ran("a", 1.1, 1.2),
    *sent("b", 2),
    *ran("b", 2.1),
    *sent("c", 2),
    *ran("c", 2.1),
    *fault("kill-1", 3, 3.5),
    *ran("c", 4, 4.5),
    *fault("cut [x]", 5),
]


def lines(*, of: list[object] | None = None) -> list[str]:
    """Return the lines of the report."""
    stream = io.StringIO()
    tell(judge(RUN if of is None else []), stream)
    return stream.getvalue().splitlines()


def row(name: str, *, of: list[object] | None = None) -> list[str]:
    """Return the words of a line."""
    return next(line.split() for line in lines(of=of) if line.startswith(name))


def test_every_figure_has_a_line_and_what_is_wrong_its_ids() -> None:
    assert row("submitted") == ["submitted", "3"]
    assert row("lost") == ["lost", "1", "b", "(kill-1,", "started)"]
    assert row("duplicated") == ["duplicated", "1", "c", "(kill-1)"]
    assert row("latency max") == ["latency", "max", "2.500", "s"]


def test_each_fault_has_a_line_and_a_dash_for_what_it_has_not() -> None:
    assert row("kill") == ["kill", "kill-1", "0.500", "s", "2.500", "s", "2.500", "s", "2.500", "s", "-", "-", "1", "1"]
    assert row("cut [x]") == ["cut", "[x]", "-", "-", "-", "-", "-", "-", "0", "0"]


def test_of_many_ids_some_are_told() -> None:
    stream = io.StringIO()
    tell(judge([one for n in range(20) for one in sent(f"e{n:02}", 1)]), stream)
    assert "e07 (no fault) and 12 more" in stream.getvalue()


def test_where_nothing_ran_no_latency_is_told() -> None:
    assert row("latency max", of=[]) == ["latency", "max", "-"]


def test_no_line_of_a_pipe_ends_in_blanks() -> None:
    assert all(line == line.rstrip() for line in lines())


def test_the_json_holds_every_field_of_the_verdict() -> None:
    verdict = judge(RUN)
    told = json.loads(json.dumps(as_dict(verdict), allow_nan=False))
    assert told["lost"] == [{"entry": "b", "started": True, "fault": "kill-1"}]
    assert told["faults"][0]["recovered"] is None
    assert told["latency"]["count"] == verdict.latency.count == 2
