"""JSON and JUnit say what the table says."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from unit_tests.verify.conftest import CHECK
from verify.files import write_json, write_junit
from verify.model import Hint, Outcome, Promise, Row, Status, broken, kept, unchecked

HINT = Hint("found \x00\x1b[31m it <here>", "look", "do")
ROWS = [
    Row(CHECK, "broker", kept("1 ms"), 0.001),
    Row(CHECK, "results", broken("silent", HINT), 1.5),
    Row(Promise("queues.canary", "a task runs"), "fast", Outcome(Status.BLOCKED), blocked_by="redis.answers results"),
    Row(Promise("queues.canary", "a task runs"), "slow", unchecked("no probes")),
]


def test_json_holds_all_rows_and_what_they_were_measured_with(tmp_path: Path) -> None:
    path = tmp_path / "new" / "verify.json"
    write_json(
        path,
        ROWS,
        inventory=Path("inventories/unit"),
        started="2026-11-22T04:00:00+00:00",
        duration=3.14159,
        servers={"broker@web1": "6.2.5"},
    )
    report = json.loads(path.read_text())
    assert report["counts"] == {"passed": 1, "failed": 1, "blocked": 1, "skipped": 1, "accepted": 0}
    assert report["duration"] == 3.142
    assert report["environment"]["redis_servers"] == {"broker@web1": "6.2.5"}
    assert {"celery", "kombu", "redis", "python"} <= set(report["environment"])
    failed = next(row for row in report["rows"] if row["status"] == "failed")
    assert failed["hint"] == {"found": HINT.found, "look": "look", "do": "do"}
    assert [row["blocked_by"] for row in report["rows"] if row["status"] == "blocked"] == ["redis.answers results"]


def test_junit_counts_blocked_rows_as_skipped_and_survives_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "verify.xml"
    write_junit(path, ROWS, started="2026-11-22T04:00:00+00:00")
    suites = {suite.get("name"): suite for suite in ElementTree.parse(path).getroot()}  # noqa: S314 - our own file
    assert set(suites) == {"redis", "queues"}
    assert (suites["redis"].get("tests"), suites["redis"].get("failures"), suites["redis"].get("skipped")) == (
        "2",
        "1",
        "0",
    )
    assert (suites["queues"].get("failures"), suites["queues"].get("skipped")) == ("0", "2")
    failure = suites["redis"].find(".//failure")
    assert failure is not None
    assert failure.get("message") == "found [31m it <here>"
    messages = [skipped.get("message") for skipped in suites["queues"].iter("skipped")]
    assert messages == ["blocked: blocked by redis.answers results", "skipped: no probes"]
