"""What a campaign decides, and leaves, where runs end otherwise than they should. The runs are records by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from engine.errors import NotPossible
from loadtests.judge.objectives import judge
from loadtests.record import Record
from loadtests.report import PAGE
from loadtests.run import campaign as module
from loadtests.run.campaign import BROKEN, KEPT, SATURATED, campaign
from loadtests.run.once import Asked
from loadtests.run.places.place import Place
from settings.model.load import LoadSlo
from unit_tests.loadtests.judged import figures, profile, record, slo

LATE = slo("end_to_end_p95", at_most=0.2)
Campaign = Callable[..., int]


def good() -> Record:
    return record(figures([100.0] * 20))


def late() -> Record:
    return record(figures([500.0] * 20))


def slow() -> Record:
    made = good()
    made.figures.complaint = "The generator was too slow for the asked rate"
    return made


def stuck() -> Record:
    return record(figures([100.0] * 20), drained=None)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """Return a campaign of records."""

    def ran(*records: Record, slos: Sequence[LoadSlo] = (LATE,), runs: int = 0, baseline: bool = False) -> int:
        left = iter(records)

        def next_one(asked: Asked, *_: object) -> Record:
            one = next(left)
            if not one.figures.complaint:
                one.verdicts = judge(one, asked.slos)
            return one

        monkeypatch.setattr(module, "run_once", next_one)
        monkeypatch.setattr(module, "write_report", lambda _, folder, *__: (folder / PAGE).touch())  # has its own tests
        place = cast("Place", SimpleNamespace())  # only a run looks at it
        return campaign(
            Asked(place, profile(), slos, 1, "make load"), tmp_path, runs or len(records), baseline=baseline
        )

    return ran


def left(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_what_was_broken_stays_so_where_a_later_run_decides_nothing(
    run: Campaign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(late(), slow()) == BROKEN
    said = capsys.readouterr().err
    assert "BROKEN in unit: end_to_end_p95 at most 0.2 s" in said
    assert "The generator was too slow" in said
    assert left(tmp_path) == {
        f"run-{file}" for file in ("1/load.json", "1/junit.xml", "1/report.html", "2/load.json", "2/report.html")
    }


def test_a_generator_that_was_too_slow_decides_nothing_and_no_further_run_is_begun(
    run: Campaign, tmp_path: Path
) -> None:
    assert run(good(), slow(), runs=5) == SATURATED
    assert not (tmp_path / "run-2" / "junit.xml").exists()
    assert not (tmp_path / "run-3").exists()


def test_fewer_runs_than_asked_are_no_success_and_no_baseline(run: Campaign, tmp_path: Path) -> None:
    with pytest.raises(NotPossible, match="1 of 5 runs were done: the last left tasks behind"):
        run(stuck(), runs=5, baseline=True)
    assert not (tmp_path / "baseline.json").exists()


def test_files_of_a_campaign_before_do_not_pass_for_this_ones(
    run: Campaign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(good(), good(), good()) == KEPT
    assert run(good()) == KEPT
    assert left(tmp_path) == {"load.json", "junit.xml", "report.html"}
    assert "run-3" not in capsys.readouterr().out.splitlines()[-1]


def test_only_a_measure_with_an_objective_fails_a_campaign_that_got_worse(
    run: Campaign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bearable = slo("end_to_end_p95", at_most=1)
    assert run(*(good() for _ in range(5)), slos=[bearable], baseline=True) == KEPT
    assert run(*(late() for _ in range(5)), slos=[slo("lost", at_most=0)]) == KEPT
    assert "end_to_end_p95 is worse: 0.5 s, was 0.1 s" in capsys.readouterr().out
    assert run(*(late() for _ in range(5)), slos=[bearable]) == BROKEN
    assert "WORSE than the baseline: end_to_end_p95 is worse" in capsys.readouterr().err
