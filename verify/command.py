"""The command: load, run, tell, write."""

from __future__ import annotations

import argparse
import datetime
import logging
import sys
import time
from collections.abc import Iterator
from functools import partial

from settings.loader import load
from settings.problem import InventoryRefused
from settings.problem import report as problems
from verify.board import Board, exit_code, shown
from verify.evidence import Evidence, EvidenceError, read_evidence
from verify.files import write_json, write_junit
from verify.progress import Telling
from verify.report import tell
from verify.runner import Run
from verify.threads import Later, until
from verify.tunnel import NoTunnel, tunnel

REFUSED = 2


def verify(args: argparse.Namespace, clock: float) -> int:
    """Verify an inventory; return the exit code.

    Args:
        args: the command line.
        clock: when the command began, monotonic seconds.
    """
    # Celery and kombu log what our rows tell better.
    logging.getLogger().addHandler(logging.NullHandler())
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with Telling(clock) as telling:
        try:
            evidence = Later(partial(_evidence, args)) if args.evidence else None
            loaded = load(args.inventory)
        except InventoryRefused as refused:
            return _refuse(f"{problems(refused.problems)}\n{args.inventory} is refused: nothing was asked.")
        board = Board(telling.row)
        run = Run(loaded, args.inventory, board, evidence, args.allow_restart, args.only, telling.finished)
        try:
            with tunnel(loaded.fleet, args.inventory):
                run.all()
        except (EvidenceError, NoTunnel) as error:
            return _refuse(str(error))
    rows = shown(board.rows, args.only)
    duration = time.monotonic() - clock
    tell(rows, duration)
    try:
        if args.json:
            write_json(
                args.json, rows, inventory=args.inventory, started=started, duration=duration, servers=run.versions
            )
        if args.junit:
            write_junit(args.junit, rows, started=started)
    except OSError as error:
        return _refuse(f"The report cannot be written ({error}): name another file.")
    return exit_code(rows)


def _evidence(args: argparse.Namespace) -> Iterator[Evidence]:
    """Read the evidence, once the play that runs beside us has written it."""
    until(args.evidence.exists, args.await_evidence)
    yield read_evidence(args.evidence)


def _refuse(message: str) -> int:
    print(message, file=sys.stderr)
    return REFUSED
