"""Command line: `python -m drill INVENTORY`, which is `make drill`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bench.stage import INVENTORY, NotStaged
from engine.errors import NotPossible

if TYPE_CHECKING:
    from drill.targets.target import Target

REFUSED, BROKEN, INTERRUPTED = 2, 1, 130
MANY = 10  # faults of a kind whose cost is a figure for docs/promises.md
LEAST = 24  # faults of a drill that is not about one kind


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="drill", description="Does a deployment keep its promises while things break?"
    )
    parser.add_argument("inventory", type=Path, help="inventories/integration runs in containers; others over SSH")
    parser.add_argument("--minutes", type=float, default=5, help="how long faults happen (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the schedule (%(default)s)")
    parser.add_argument("--rate", type=float, default=30, help="tasks per second (%(default)s)")
    parser.add_argument("--fault", action="append", metavar="NAME", help="only this one; may be said again")
    parser.add_argument("--count", type=int, help=f"how many faults; {LEAST} or one per 10 s if not said")
    parser.add_argument("--matrix", default="", help='of containers: "redis=8 python=3.13 transport=redis-plus"')
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, of containers")
    parser.add_argument("--folder", type=Path, help="where drill.json and history.jsonl go")
    return parser.parse_args(words)


def main() -> int:
    """Drill; return 0 if all promises are kept, 1 if one is broken, 2 where it cannot be done, 130 on Ctrl-C."""
    args = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us, what was hurt is healed
    try:
        return _drill(args)
    except (NotPossible, NotStaged) as error:
        print(error, file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("\ninterrupted: what was hurt is healed, nothing was decided.", file=sys.stderr)
        return INTERRUPTED


def _drill(args: argparse.Namespace) -> int:
    from drill import outcome
    from drill.campaign import drill
    from drill.faults import FAULTS
    from drill.history import History
    from drill.schedule import schedule

    for name in ("minutes", "rate", "count"):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise NotPossible(f"--{name} {value:g}: must be above 0.")
    unknown = sorted(set(args.fault or ()) - set(FAULTS))
    if unknown:
        raise NotPossible(f"FAULT={unknown[0]} is not known: choose of {', '.join(FAULTS)}.")
    count = args.count or max(LEAST, round(args.minutes * 6))
    folder = args.folder or Path("build") / args.inventory.name
    history = History()
    with _target(args) as target:
        print(again(args))
        chosen = [FAULTS[name] for name in args.fault or FAULTS if FAULTS[name].needs <= target.abilities]
        left_out = sorted(name for name in args.fault or FAULTS if not FAULTS[name].needs <= target.abilities)
        if left_out:
            print(f"left out, as this target cannot: {', '.join(left_out)}")
        if not chosen:
            raise NotPossible("no fault is left: name others, or another target.")
        plan = schedule(args.seed, chosen, target.redises, target.workers, count=count, every=args.minutes * 60 / count)
        print(
            f"{count} faults in {args.minutes:g} minutes, seed {args.seed}, {args.rate:g} tasks/s, {target.transport}"
        )
        began, transport = time.monotonic(), target.transport
        try:
            result = drill(target, plan, history, rate=args.rate)
        finally:
            folder.mkdir(parents=True, exist_ok=True)
            history.write(folder / "history.jsonl")
    told = {"seed": args.seed, "minutes": args.minutes, "rate": args.rate, **outcome.as_dict(result)}
    (folder / "drill.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    for cost in outcome.costs(result):
        if cost.times >= MANY:
            file = folder / "drills" / f"{cost.fault}-{transport}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            row = {**asdict(cost), "transport": transport, "command": again(args), "date": time.strftime("%Y-%m-%d")}
            file.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    outcome.tell(result)
    print(f"in {time.monotonic() - began:.0f} s; {folder}/drill.json, {folder}/history.jsonl")
    return 0 if result.kept else BROKEN


def again(args: argparse.Namespace) -> str:
    """Return the command that does the same again."""
    said = {
        "FAULT": " ".join(args.fault or ()),
        "COUNT": args.count,
        "MATRIX": args.matrix,
        "SET": " ".join(args.set),
    }
    words = [f"MINUTES={args.minutes:g}", f"SEED={args.seed}", f"RATE={args.rate:g}"]
    words += [f'{name}="{value}"' if " " in str(value) else f"{name}={value}" for name, value in said.items() if value]
    return " ".join(["make drill", f"ENV={args.inventory.name}", *words])


@contextmanager
def _target(args: argparse.Namespace) -> Iterator[Target]:
    """Yield what is drilled; containers are removed afterwards."""
    if args.inventory.resolve() == INVENTORY:
        from bench.run import Run
        from drill.targets.containers import Containers
        from engine.daemon import engine
        from engine.matrix import combinations

        client = engine()
        first, *others = combinations(args.matrix)
        if others:
            raise NotPossible(f"MATRIX={args.matrix!r}: a drill is of one combination: name one value each.")
        with Run(client) as run:
            yield Containers(run, first.settings(client), _settings(args.set))
    elif args.set or args.matrix:
        raise NotPossible(f"{args.inventory}: --set and --matrix are for containers; hosts are drilled as they are.")
    else:
        from drill.targets.access import hosts

        with hosts(args.inventory) as target:
            yield target


def _settings(words: list[str]) -> dict[str, Any]:
    """Return settings said as NAME=VALUE, the value as YAML."""
    return {name: yaml.safe_load(value) for name, _, value in (word.partition("=") for word in words)}


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # At once: a publish that hangs must not hold up the end.
    os._exit(code)
