"""Promise: what is overdue is found at the next look, whatever was submitted before it."""

from __future__ import annotations

from loadtests.generator.call import Call
from loadtests.generator.deadlines import Deadlines


def call(name: str, due: float, limit: float = 10.0) -> Call:
    return Call(name, b"", b"", b"", due, limit)


def test_a_task_with_a_countdown_hides_nothing_behind_it() -> None:
    deadlines = Deadlines()
    for one in (call("eta", due=60), call("now", due=0), call("brief", due=0, limit=1), call("same", due=0)):
        deadlines.add(one)
    assert [one.name for one in deadlines.overdue(0.9)] == []
    assert [one.name for one in deadlines.overdue(10)] == ["brief", "now", "same"]
    assert [one.name for one in deadlines.overdue(10)] == []
    assert [one.name for one in deadlines.overdue(70)] == ["eta"]


def test_what_has_ended_is_not_overdue() -> None:
    deadlines = Deadlines()
    done, late = call("done", due=0), call("late", due=1)
    deadlines.add(done)
    deadlines.add(late)
    done.ended = 5.0
    assert list(deadlines.overdue(11)) == [late]
