"""What the settings promise to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from settings.fleet import Fleet
from settings.loader import Loaded
from verify.board import Board
from verify.checks.host import check, due, plain, risks
from verify.evidence import Backup, Evidence, HostEvidence
from verify.expected import Application
from verify.model import Row, Status
from verify.words import Words


def test_node_names_and_slots(application: Application) -> None:
    found = {worker.node: (worker.slots, worker.time_limit, worker.soft_time_limit) for worker in application.workers}
    assert found == {
        "fast-1@web1": (2, 60, 50),
        "fast-2@web1": (2, 60, 50),
        "slow-1@web1": (4, 30, 20),
        "io-1@web1": (4, None, None),
    }


def test_queues_know_who_consumes_them(application: Application) -> None:
    assert {name: [worker.unit for worker in workers] for name, workers in application.queues.items()} == {
        "fast": ["fast-1", "fast-2"],
        "slow": ["slow-1"],
        "io": ["io-1"],
    }


def test_first_matching_route_wins(application: Application) -> None:
    assert [application.queue_of(name) for name in ("probe.long", "probe.sleep", "probe.add", "other")] == [
        "slow",
        "io",
        "fast",
        "fast",
    ]


def test_schedule_and_probes(application: Application) -> None:
    assert [entry.name for entry in application.entries("probe.heartbeat")] == ["heartbeat"]
    assert application.probes


def test_services_of_a_host(loaded: Loaded) -> None:
    host = loaded.fleet.hosts["web1"]
    workers = [f"celery-worker-{unit}" for unit in ("fast-1", "fast-2", "slow-1", "io-1")]
    assert due(host) == ["redis-broker", *workers, "celery-beat"]
    assert plain("celery-worker@fast-1.service") == "celery-worker-fast-1"


def evidence(loaded: Loaded, **states: str) -> Evidence:
    """Return evidence in which all is well but for these services and files."""
    services = [
        {"name": name, "state": states.get(name, "running")}
        for name in due(loaded.fleet.hosts["web1"])
        if states.get(name) != "gone"
    ]
    files = [{"path": path, "state": states.get(path, "same")} for path in ("/etc/a", "/etc/b")]
    return Evidence(hosts={"web1": HostEvidence.model_validate({"services": services, "files": files})})


def rows(board: Board, status: Status) -> list[Row]:
    """Return the rows of a status."""
    return [row for row in board.rows if row.status is status]


def test_evidence_without_a_flaw_has_a_row_per_service(loaded: Loaded, board: Board, words: Words) -> None:
    check(board, loaded.fleet, evidence(loaded), words)
    assert {row.status for row in board.rows} == {Status.PASSED}
    assert len(board.rows) == 1 + 6


def test_only_what_differs_fails_and_is_named(loaded: Loaded, board: Board, words: Words) -> None:
    check(
        board,
        loaded.fleet,
        evidence(loaded, **{"/etc/b": "differs", "celery-beat": "fatal", "celery-worker-io-1": "gone"}),
        words,
    )
    assert sorted(row.title for row in rows(board, Status.FAILED)) == [
        "host.files web1",
        "host.service celery-beat on web1",
        "host.service celery-worker-io-1 on web1",
    ]
    hints = " ".join(row.outcome.hint.found for row in board.rows if row.outcome.hint)
    assert "/etc/b differs" in hints
    assert "fatal" in hints


def test_without_evidence_nothing_is_claimed(loaded: Loaded, board: Board, words: Words) -> None:
    for found in (
        None,
        Evidence(),
        Evidence(missing="not checked: why"),
        Evidence(complete=False, hosts={"web1": HostEvidence()}),
    ):
        check(board, loaded.fleet, found, words)
    assert {row.status for row in board.rows} == {Status.SKIPPED}
    assert [row.note for row in board.rows][4] == "not checked: why"
    assert "could not examine" in board.rows[-1].note


def test_accepted_risk_is_shown_with_its_reason(board: Board, clock: Callable[[], float]) -> None:
    from settings.problem import Problem

    problem = Problem(rule="fsync-off", message="the kernel decides", fix="", accepted="results are only worth an hour")
    risks(board, [problem, Problem(rule="other", message="a warning", fix="")])
    (row,) = board.rows
    assert (row.status, row.subject) == (Status.ACCEPTED, "fsync-off")
    assert "results are only worth an hour" in row.note


@pytest.mark.parametrize(
    ("told", "status", "words_due"),
    [
        ([{"instance": "broker", "name": "b.rdb", "age": 60, "copied": "x@y:/z"}], Status.PASSED, "60 s, copied off"),
        ([{"instance": "broker", "name": "b.rdb", "age": 200_000}], Status.FAILED, "b.rdb is 200000 s old"),
        ([{"instance": "broker", "age": 60, "error": "the copy failed"}], Status.FAILED, "the copy failed"),
        ([{"instance": "broker"}], Status.FAILED, "there never was a backup"),
        ([], Status.FAILED, "there never was a backup"),
    ],
)
def test_a_backup_is_young_and_whole_or_the_row_says_why(
    loaded: Loaded, board: Board, words: Words, told: list[dict[str, object]], status: Status, words_due: str
) -> None:
    host = loaded.fleet.hosts["web1"]
    backed_up = replace(host, backup=host.backup.model_copy(update={"enabled": True}))
    found = evidence(loaded)
    found.hosts["web1"].backups = [Backup.model_validate(one) for one in told]
    check(board, Fleet({"web1": backed_up}), found, words)
    (row,) = [row for row in board.rows if row.promise.id == "host.backup"]
    assert row.status is status
    assert words_due in (row.outcome.hint.found if row.outcome.hint else row.note)
    assert "host.service backup-redis on web1" in [row.title for row in rows(board, Status.FAILED)], "its loop is due"
