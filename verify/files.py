"""A run as JSON for machines and as JUnit for CI."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from verify import junit
from verify.board import counts
from verify.junit import Case
from verify.model import GROUPS, Row, Status
from verify.report import ordered

SCHEMA = 1


def environment(servers: Mapping[str, str]) -> dict[str, Any]:
    """Return the versions that a result depends on."""
    libraries = {name: version(name) for name in ("celery", "kombu", "redis", "billiard")}
    return {
        "redis_servers": dict(servers),
        "python": platform.python_version(),
        "machine": platform.platform(),
        **libraries,
    }


def as_dict(row: Row) -> dict[str, Any]:
    """Return a row for JSON."""
    hint = row.outcome.hint
    return {
        "id": row.promise.id,
        "group": row.promise.group,
        "subject": row.subject,
        "promise": row.promise.sentence,
        "settings": list(row.promise.settings),
        "status": row.status.value,
        "figure": row.outcome.figure,
        "reason": row.outcome.reason,
        "blocked_by": row.blocked_by,
        "hint": {"found": hint.found, "look": hint.look, "do": hint.do} if hint else None,
        "duration": round(row.duration, 4),
    }


def write_json(
    path: Path, rows: Sequence[Row], *, inventory: Path, started: str, duration: float, servers: Mapping[str, str]
) -> None:
    """Write all rows and what they were measured with.

    Args:
        path: of the file; its directory is made.
        rows: what is reported.
        inventory: that was verified.
        started: date and time, ISO 8601.
        duration: seconds.
        servers: instance → version of its Redis.
    """
    number = counts(rows)
    report = {
        "schema": SCHEMA,
        "step": "verify",
        "inventory": str(inventory),
        "started": started,
        "duration": round(duration, 3),
        "environment": environment(servers),
        "counts": {status.value: number[status] for status in Status},
        "rows": [as_dict(row) for row in ordered(rows)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _case(row: Row) -> Case:
    hint, seconds = row.outcome.hint, row.duration
    name = f"{row.subject}: {row.promise.sentence}"
    if row.status is Status.FAILED:
        detail = f"found: {hint.found}\nlook at: {hint.look}\ntype: {hint.do}" if hint else ""
        return Case(row.promise.id, name, "failed", hint.found if hint else row.note, detail, seconds)
    if row.status is Status.PASSED:
        return Case(row.promise.id, name, "passed", row.note, seconds=seconds)
    return Case(row.promise.id, name, "skipped", f"{row.status.value}: {row.note}", seconds=seconds)


def write_junit(path: Path, rows: Sequence[Row], *, started: str) -> None:
    """Write a test suite per group; a blocked row counts as skipped, its cause as failed."""
    suites = {group: [_case(row) for row in ordered(rows) if row.promise.group == group] for group in GROUPS}
    junit.write(path, "verify", {group: cases for group, cases in suites.items() if cases}, started=started)
