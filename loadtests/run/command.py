"""The command: read, refuse, reach, run."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

import yaml

from bench.stage import NotStaged
from engine.errors import NotPossible
from loadtests.judge.baseline import RUNS
from loadtests.run import chaos, preflight
from loadtests.run.campaign import campaign
from loadtests.run.once import Asked
from loadtests.run.places.access import is_containers, place, read
from settings.loads import objectives, profiles

REFUSED = 2


def load(args: argparse.Namespace, command: str) -> int:
    """Put a deployment under load; return the exit code.

    Args:
        args: the command line.
        command: that does the same again.
    """
    # Celery and kombu log what we say better.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        return _load(args, command)
    except (NotPossible, NotStaged) as error:
        print(error, file=sys.stderr)
        return REFUSED


def _load(args: argparse.Namespace, command: str) -> int:
    for name in ("generators", "runs"):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise NotPossible(f"--{name} {value}: must be above 0.")
    if args.baseline and args.runs < RUNS:
        raise NotPossible(
            f"--baseline --runs {args.runs}: a baseline takes {RUNS} runs, fewer tell no change from noise: say RUNS={RUNS}."
        )
    said = settings(args.set)
    fleet = read(args.inventory)
    hosts = fleet.celery_hosts()
    profile = preflight.chosen(
        preflight.known(hosts[0].load, said if is_containers(args.inventory) else {}), args.profile
    )
    chaos.known(profile)
    folder = args.folder or Path("build") / args.inventory.resolve().name / "load" / profile.name
    with place(args.inventory, fleet, profile, matrix=args.matrix, settings=said) as found:
        load_settings = found.host.load
        profile = profiles(load_settings)[profile.name]
        preflight.fits(found, profile)
        for warning in (*preflight.warnings(found, profile), *preflight.reach(found)):
            print(f"warning: {warning}", file=sys.stderr)
        asked = Asked(
            found,
            profile,
            objectives(load_settings, profile.name),
            args.generators or load_settings.generators,
            command,
        )
        print(command)
        return campaign(asked, folder, args.runs, baseline=args.baseline)


def settings(words: list[str]) -> dict[str, Any]:
    """Return settings said as NAME=VALUE, the value as YAML.

    Raises:
        NotPossible: if one is not said so.
    """
    found = {}
    for word in words:
        name, sign, value = word.partition("=")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            sign = ""
        if not sign or not name:
            raise NotPossible(f"SET={word}: say NAME=VALUE, the value as an inventory has it.")
    return found
