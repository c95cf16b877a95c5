"""An idempotent write to a ledger outside the Redis under test.

The file is what a redelivered task must not spoil: written once per entry, however often the task runs.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing, suppress
from typing import Any

from tasks.probe.declare import probe

LEDGER_VARIABLE = "PROBE_LEDGER"
BUSY_SECONDS = 30.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS writes (
    entry_id TEXT PRIMARY KEY,
    payload TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL
)
"""
# The first payload stays: a second run is a repetition, not an update.
WRITE = """
INSERT INTO writes (entry_id, payload, attempts, first_at, last_at)
VALUES (:entry_id, :payload, 1, :now, :now)
ON CONFLICT (entry_id) DO UPDATE SET attempts = attempts + 1, last_at = :now
"""


@probe("ledger")
def ledger(entry_id: str, payload: Any = None) -> dict[str, Any]:
    """Write an entry to the sqlite file at $PROBE_LEDGER, once; a repetition only counts itself.

    Args:
        entry_id: names the entry; the caller's, so that a redelivered or repeated message has the same.
        payload: any JSON value.

    Returns:
        entry_id, attempts (1 the first time) and first (attempts == 1).

    Raises:
        RuntimeError: if PROBE_LEDGER is not set, or its file cannot be opened or written.
    """
    path = os.environ.get(LEDGER_VARIABLE)
    if not path:
        raise RuntimeError(
            f"probe.ledger: {LEDGER_VARIABLE} is not set: "
            "give the path of the ledger's sqlite file in the worker's environment."
        )
    try:
        attempts = write(path, entry_id, json.dumps(payload))
    except sqlite3.OperationalError as error:
        raise RuntimeError(
            f"probe.ledger: {path} cannot be written ({error}): "
            f"set {LEDGER_VARIABLE} to a file in a folder the worker may write to."
        ) from error
    return {"entry_id": entry_id, "attempts": attempts, "first": attempts == 1}


def write(path: str, entry_id: str, payload: str) -> int:
    """Write one entry in one transaction and return how often it was written by now.

    Raises:
        sqlite3.OperationalError: if the file cannot be opened, or stays locked for 30 s.
    """
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as database:
        # Where another writer is at work this is refused, and does not wait: a later one will switch the file over.
        with suppress(sqlite3.OperationalError):
            database.execute("PRAGMA journal_mode = WAL")
        # The write lock first: a transaction that reads and then writes may be refused instead of waiting.
        database.execute("BEGIN IMMEDIATE")
        database.execute(SCHEMA)
        database.execute(WRITE, {"entry_id": entry_id, "payload": payload, "now": time.time()})
        # Not RETURNING: it needs SQLite 3.35, and RHEL 9 has 3.34.
        row = database.execute("SELECT attempts FROM writes WHERE entry_id = ?", (entry_id,)).fetchone()
        database.execute("COMMIT")
    return int(row[0])
