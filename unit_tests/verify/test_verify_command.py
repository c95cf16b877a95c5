"""Exit codes, and one clear sentence in place of a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verify.__main__ import INTERRUPTED, main

Captured = pytest.CaptureFixture[str]


def test_missing_inventory_is_refused(tmp_path: Path, capsys: Captured) -> None:
    assert main([str(tmp_path / "nowhere")]) == 2
    said = capsys.readouterr().err
    assert "there is no such inventory" in said
    assert "nothing was asked" in said


def test_broken_inventory_is_refused_with_the_report_of_the_settings(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "hosts.yml").write_text("redis: {hosts: {a: {}}}\n")
    (tmp_path / "group_vars" / "all.yml").write_text("redis_maxmemoryy: 1gb\nredis_port: no\n")
    assert main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "write redis_maxmemory" in said
    assert "redis_port" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Invalid JSON"),
        ("[]", "the file"),
        ('{"hosts": {"a": {"files": [{"path": "x", "state": "odd"}]}}}', "hosts.a.files.0.state"),
    ],
)
def test_bad_evidence_is_refused(inventory: Path, tmp_path: Path, capsys: Captured, text: str, why: str) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(text)
    assert main([str(inventory), "--evidence", str(path)]) == 2
    assert why in capsys.readouterr().err


def test_unknown_group_is_refused(inventory: Path, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(inventory), "--only", "nothing"])
    assert stopped.value.code == 2
    assert "behaviour" in capsys.readouterr().err


def test_interrupt_ends_with_a_line(inventory: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("verify.command.load", interrupted)
    assert main([str(inventory)]) == INTERRUPTED == 130
    assert capsys.readouterr().err.strip() == "interrupted: nothing was decided."


def test_redis_that_does_not_run_fails_one_row_and_blocks_the_others(
    inventory: Path, tmp_path: Path, capsys: Captured
) -> None:
    files = {"json": tmp_path / "v.json", "junit": tmp_path / "v.xml", "evidence": tmp_path / "none.json"}
    words = [str(inventory), *(word for name, path in files.items() for word in (f"--{name}", str(path)))]
    assert main(words) == 1
    rows = json.loads(files["json"].read_text())["rows"]
    assert [row["id"] for row in rows if row["status"] == "failed"] == ["redis.answers"]
    assert {row["id"] for row in rows if row["status"] == "skipped"} == {"host.files", "host.service"}
    others = [row for row in rows if row["status"] == "blocked"]
    assert {row["blocked_by"] for row in others} == {"redis.answers broker@web1"}
    assert {row["group"] for row in others} == {"redis", "security", "workers", "queues", "behaviour", "beat"}
    assert not [row for row in rows if row["status"] == "passed"]
    captured = capsys.readouterr()
    assert "nothing listens there" in captured.out
    assert "secret-of-a-test" not in captured.out + captured.err + "".join(
        path.read_text() for path in files.values() if path.exists()
    )
    assert "Traceback" not in captured.out + captured.err
    assert files["junit"].exists()


def test_only_a_group_and_what_blocks_it_is_told(inventory: Path, tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    assert main([str(inventory), "--only", "queues", "--json", str(path)]) == 1
    assert {row["group"] for row in json.loads(path.read_text())["rows"]} == {"redis", "queues"}


def test_report_that_cannot_be_written_is_told(inventory: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(inventory), "--only", "host", "--json", str(tmp_path / "file" / "v.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err
