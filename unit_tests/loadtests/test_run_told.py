"""What a person sees of a run: how it stands, what is broken, and what goes where nobody listens."""

from __future__ import annotations

import io

from loadtests.judge.objectives import judge, so_far
from loadtests.record import Sample
from loadtests.run.outcome import broken
from loadtests.run.places.place import unconsumed
from loadtests.run.progress import Telling, line
from settings.fleet import Fleet
from settings.model.load import LoadSlo
from unit_tests.loadtests.judged import figures, profile, record
from unit_tests.loadtests.test_target import CASE, target
from unit_tests.settings.fleets import fleet_of

LIVE = {"second": 7.0, "rate": 39.6, "p50": 12.4, "p95": 800.0, "ended": 270.0, "failed": 3.0, "lost": 1.0}
SAMPLE = Sample(7.2, {"fast": 0, "slow": 12}, 4, 3 * 1024**2, {"a": 50 * 1024**2, "b": 60 * 1024**2})


def test_a_line_says_how_it_stands() -> None:
    assert line(LIVE, 25, SAMPLE) == (
        "7/25 s  39.6 tasks/s  p50 12 ms  p95 800 ms  waiting: slow 12, held 4  Redis 3.0 MiB  workers 110 MiB  "
        "failed 2  lost 1"
    )


def test_where_no_terminal_is_a_line_comes_now_and_then_with_what_is_broken_so_far() -> None:
    slos = [LoadSlo(measure="lost", at_most=0), LoadSlo(measure="error_rate", at_most=0.5)]
    stream = io.StringIO()
    with Telling(stream) as telling:
        for _ in range(5):
            telling.tell(LIVE, 25, SAMPLE, so_far(slos, LIVE))
    (told,) = stream.getvalue().splitlines()
    assert told == line(LIVE, 25, SAMPLE) + "; broken so far: lost at most 0 tasks"


def test_what_is_broken_is_named_in_one_line_with_its_figure() -> None:
    slos = [
        LoadSlo(measure="end_to_end_p95", at_most=0.2),
        LoadSlo(measure="lost", at_most=0),
        LoadSlo(measure="error_rate", at_most=0.9),
    ]
    run = record(figures([500.0] * 20, errors=["lost: no result within 5 s"]))
    run.verdicts = judge(run, slos)
    assert broken([run, run]) == "BROKEN in unit: end_to_end_p95 at most 0.2 s (0.5 s); lost at most 0 tasks (1 tasks)"
    run.verdicts = judge(run, slos[2:])
    assert broken([run]) == ""


def test_a_queue_that_nobody_consumes_is_found_by_name_and_by_route() -> None:
    fleet, problems = fleet_of({**CASE, "celery_workers": [{"name": "all", "queues": ["fast"]}]})
    assert isinstance(fleet, Fleet), problems
    by_route = profile(tasks=[{"name": "a", "task": "probe.add", "chain": [{"task": "probe.long"}]}])
    by_name = profile(tasks=[{"name": "a", "task": "probe.add", "queue": "slow"}])
    assert unconsumed(fleet, by_route, target()) == unconsumed(fleet, by_name, target()) == ["slow"]
    assert unconsumed(fleet, profile(), target()) == []
