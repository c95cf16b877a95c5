"""What is asked of a sweep: the command line, checked."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from bench.stage import INVENTORY
from engine.errors import NotPossible
from loadtests.scaling.law import PARAMETERS
from loadtests.scaling.site import GROUPS, said
from settings.loads import profiles
from settings.model.load import Load, LoadProfile

MOST = 64  # worker processes, and tasks at once of each
PROFILE = "scaling"  # ships with the project


@dataclass(frozen=True)
class Plan:
    """A sweep."""

    inventory: str
    sizes: tuple[int, ...]  # worker processes, ascending
    concurrency: tuple[int, ...]  # tasks at once of each
    group: str  # of workers
    profile: LoadProfile
    rate: float | None  # tasks per second that have to be carried; None is half of what can be
    bound: float  # seconds that 95 % of them may take
    outage: float  # seconds of arrivals that Redis has to hold
    rounds: int  # how often every size is measured, down and up
    seconds: float  # that a measurement takes
    tolerance: float  # share by which a prediction may be wrong
    seed: int
    matrix: str
    settings: tuple[str, ...]  # NAME=VALUE: otherwise than the inventory says
    folder: Path

    @property
    def command(self) -> str:
        """The command that does the same again."""
        words = {
            "WORKERS": ",".join(map(str, self.sizes)),
            "CONCURRENCY": ",".join(map(str, self.concurrency)),
            "PROFILE": self.profile.name,
            "GROUP": self.group,
            **({} if self.rate is None else {"RATE": f"{self.rate:g}"}),
            "P95": f"{self.bound:g}",
            "OUTAGE": f"{self.outage:g}",
            "ROUNDS": self.rounds,
            "SECONDS": f"{self.seconds:g}",
            "TOLERANCE": f"{self.tolerance:g}",
            "SEED": self.seed,
            **({"MATRIX": f'"{self.matrix}"'} if self.matrix else {}),
            **({"SET": f'"{" ".join(self.settings)}"'} if self.settings else {}),
        }
        return " ".join(
            ["make scaling", f"ENV={self.inventory}", *(f"{name}={value}" for name, value in words.items())]
        )


def read(words: list[str] | None = None) -> Plan:
    """Read the command line.

    Raises:
        NotPossible: if it asks for what cannot be; the message is one sentence.
    """
    parser = argparse.ArgumentParser(prog="loadtests.scaling", description="How many workers does a rate need?")
    parser.add_argument("inventory", type=Path, help="inventories/integration, which runs in containers")
    parser.add_argument("--workers", default="1,2,4,6", help="sizes: worker processes (%(default)s)")
    parser.add_argument("--concurrency", default="4", help="tasks at once of each, one or several (%(default)s)")
    parser.add_argument("--group", help="of celery_workers; the first if not said")
    parser.add_argument("--profile", default=PROFILE, help="whose mix of tasks is measured (%(default)s)")
    parser.add_argument("--rate", help="tasks per second to be carried; half of the most if not said")
    parser.add_argument("--p95", default="0.2", help="seconds that 95 %% of the tasks may take (%(default)s)")
    parser.add_argument("--outage", default="60", help="seconds of arrivals that Redis has to hold (%(default)s)")
    parser.add_argument("--rounds", default="2", help="how often every size is measured, down and up (%(default)s)")
    parser.add_argument("--seconds", default="4", help="that a measurement takes (%(default)s)")
    parser.add_argument("--tolerance", default="0.15", help="share by which a prediction may be wrong (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the mix and of arrivals (%(default)s)")
    parser.add_argument("--matrix", default="", help='of containers: "redis=8 python=3.13"')
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, as YAML")
    parser.add_argument("--folder", type=Path, help="where scaling.json and scaling.html go; build/ENV if not said")
    asked = parser.parse_args(words)
    if asked.inventory.resolve() != INVENTORY:
        raise NotPossible(
            f"ENV={asked.inventory.name}: a sweep starts and ends worker processes, and does so only in containers: "
            f"say ENV={INVENTORY.name}, and what differs from it with SET=NAME=VALUE."
        )
    sizes = _numbers("WORKERS", asked.workers)
    if len(sizes) < PARAMETERS:
        raise NotPossible(
            f"WORKERS={asked.workers}: the law has {PARAMETERS} parameters: say {PARAMETERS} sizes at least."
        )
    return Plan(
        inventory=asked.inventory.name,
        sizes=sizes,
        concurrency=_numbers("CONCURRENCY", asked.concurrency),
        group=_group(asked.group),
        profile=_profile(asked.profile),
        rate=None if asked.rate is None else _number("RATE", asked.rate),
        bound=_number("P95", asked.p95),
        outage=_number("OUTAGE", asked.outage, zero=True),
        rounds=_numbers("ROUNDS", asked.rounds)[0],
        seconds=_number("SECONDS", asked.seconds),
        tolerance=_number("TOLERANCE", asked.tolerance),
        seed=asked.seed,
        matrix=asked.matrix,
        settings=_settings(asked.set),
        folder=asked.folder or Path("build") / asked.inventory.name,
    )


def _numbers(name: str, text: str) -> tuple[int, ...]:
    found = set()
    for word in text.replace(",", " ").split():
        if not word.isascii() or not word.isdigit() or not 1 <= int(word) <= MOST:
            raise NotPossible(f"{name}={text}: {word} is no whole number from 1 to {MOST}.")
        found.add(int(word))
    if not found:
        raise NotPossible(f"{name} names no number: say some, as 1,2,4.")
    return tuple(sorted(found))


def _number(name: str, text: str, *, zero: bool = False) -> float:
    try:
        value = float(text)
    except ValueError:
        raise NotPossible(f"{name}={text} is no number.") from None
    if not (0 if zero else 1e-9) <= value < 1e9:
        raise NotPossible(f"{name}={text}: must be {'0 or more' if zero else 'above 0'}.")
    return value


def _settings(words: list[str]) -> tuple[str, ...]:
    for word in words:
        name, sign, _ = word.partition("=")
        if not sign or name == GROUPS:
            raise NotPossible(
                f"SET={word}: write NAME=VALUE, of another setting than {GROUPS}, which is what is swept."
            )
    return tuple(words)


def _group(name: str | None) -> str:
    known = [str(group.get("name")) for group in said(GROUPS) or ()]
    if not known:
        raise NotPossible(f"{INVENTORY.name} says no {GROUPS}: there is nothing to scale.")
    if name and name not in known:
        raise NotPossible(f"GROUP={name} is not in {GROUPS}: choose of {', '.join(known)}.")
    return name or known[0]


def _profile(name: str) -> LoadProfile:
    known = profiles(Load.model_validate({"profiles": said("load_profiles") or []}))
    if name not in known:
        raise NotPossible(f"PROFILE={name} is not known: choose of {', '.join(known)}.")
    for kind in known[name].tasks:
        for option in ("chain", "countdown", "fails"):
            if getattr(kind, option):
                raise NotPossible(
                    f"PROFILE={name}: {kind.name} has {option}, and a full queue of such tasks tells no throughput: "
                    "take a profile of plain tasks."
                )
    return known[name]
