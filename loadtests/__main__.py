"""Command line: `python -m loadtests INVENTORY`, which is `make load`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

REFUSED, INTERRUPTED = 2, 130


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="loadtests", description="Does a deployment keep its objectives at the rate that it has to carry?"
    )
    parser.add_argument("inventory", type=Path, help="inventories/integration runs in containers; others as they are")
    parser.add_argument(
        "--profile", default="smoke", help="a workload of load_profiles, or one that ships (%(default)s)"
    )
    parser.add_argument("--generators", type=int, help="processes that send; load_generators if not said")
    parser.add_argument("--runs", type=int, default=1, help="how often, on the same deployment (%(default)s)")
    parser.add_argument("--matrix", default="", help='of containers: "redis=8 python=3.13"')
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, of containers")
    parser.add_argument("--folder", type=Path, help="where the files go; build/<inventory>/load/<profile> if not said")
    parser.add_argument("--baseline", action="store_true", help="keep these runs: later ones are held against them")
    return parser.parse_args(words)


def again(args: argparse.Namespace) -> str:
    """Return the command that does the same again."""
    said = {
        "GENERATORS": args.generators,
        "RUNS": args.runs if args.runs > 1 else None,
        "MATRIX": args.matrix,
        "SET": " ".join(args.set),
        "BASELINE": 1 if args.baseline else None,
    }
    words = [f"PROFILE={args.profile}"]
    words += [f'{name}="{value}"' if " " in str(value) else f"{name}={value}" for name, value in said.items() if value]
    return " ".join(["make load", f"ENV={args.inventory.name}", *words])


def main() -> int:
    """Put a deployment under load.

    Returns:
        0 if all objectives are kept, 1 if one is broken or a measure is worse than the baseline, 2 where it cannot be
        done, 3 if the generator was too slow for the asked rate, 130 on Ctrl-C.
    """
    args = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us, what was hurt is healed
    try:
        from loadtests.run.command import load

        return load(args, again(args))
    except KeyboardInterrupt:
        print("\ninterrupted: what was hurt is healed, nothing was decided.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: what still waits for a dead server must not hold up the end.
    os._exit(code)
