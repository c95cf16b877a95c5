"""Command line: `python -m engine up|matrix|hosts|remove`."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.errors import NotPossible

REFUSED = 2  # exit code where this machine lacks something


def up(args: argparse.Namespace) -> None:
    """Make Docker answer, and the images be there: those that are named, or all."""
    from engine.daemon import engine
    from engine.images import described, ensure, families, say

    groups = families(args.images or described())
    client = engine()

    def make(names: list[str]) -> None:
        for name in names:
            say(f"{name}: {ensure(client, name)}")

    with ThreadPoolExecutor() as threads:
        list(threads.map(make, groups))


def matrix(args: argparse.Namespace) -> None:
    """Print the combinations that a MATRIX asks for, a line each."""
    from engine.matrix import combinations

    for combination in combinations(args.text):
        print(combination)


def hosts(args: argparse.Namespace) -> None:
    """Start the hosts of an inventory as containers."""
    from engine.daemon import engine
    from engine.hosts import Hosts
    from engine.images import CHECKOUT
    from engine.wheelhouse import fill

    client = engine()
    fill(CHECKOUT / "build" / "wheelhouse")
    for name, address in Hosts(client, args.inventory).start().items():
        print(f"{name}: {address}")


def remove(args: argparse.Namespace) -> None:
    """Remove the containers of an inventory."""
    from engine.daemon import answering
    from engine.hosts import Hosts

    client = answering()
    if client:
        Hosts(client, args.inventory).remove()


def main() -> int:
    """Run the command that the arguments name."""
    parser = argparse.ArgumentParser(prog="engine", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for function in (up, matrix, hosts, remove):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(function=function)
        if function is up:
            command.add_argument("images", nargs="*")
        elif function is matrix:
            command.add_argument("text")
        else:
            command.add_argument("inventory", type=Path)
    args = parser.parse_args()
    try:
        args.function(args)
    except NotPossible as error:
        print(error, file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
