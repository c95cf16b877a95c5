"""Command line: `python -m verify INVENTORY`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from verify.model import GROUPS

INTERRUPTED = 130


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="verify", description="Ask the running system whether it keeps what the settings promise."
    )
    parser.add_argument("inventory", type=Path, help="directory or file, as inventories/local")
    parser.add_argument("--evidence", type=Path, metavar="FILE", help="what a play found on the hosts")
    parser.add_argument(
        "--await-evidence", type=float, default=0, metavar="SECONDS", help="the play is still at it: wait for the file"
    )
    parser.add_argument("--allow-restart", action="store_true", help="also kill a pool child and restart a worker")
    parser.add_argument("--only", choices=list(GROUPS), metavar="GROUP", help=f"one of {', '.join(GROUPS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows here, too")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML here, too")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Verify; return 0 if all promises are kept, 1 if one is broken, 2 on bad input, 130 on Ctrl-C."""
    started = time.monotonic()
    args = arguments(words)
    try:
        from verify.command import verify

        return verify(args, started)
    except KeyboardInterrupt:
        print("\ninterrupted: nothing was decided.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    code = main()
    if "verify.keys" in sys.modules:
        sys.modules["verify.keys"].forget()
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: threads that still wait for a dead server must not hold up the end.
    os._exit(code)
