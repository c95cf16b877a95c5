"""How long staging takes: one host against an empty play, and a fleet."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.fleet import write_inventory
from benchmarks.timing import compare, seconds

FLEET = 100
# What issue "From one settings file to a running stack" asks for.
RATIO_ALLOWED = 2.0
SECONDS_ALLOWED = 30.0
EMPTY_PLAY = "- name: Do nothing\n  hosts: all\n  tasks: []\n"


def _stage(inventory: Path, target: Path) -> list[str]:
    return [
        "ansible-playbook",
        "--inventory",
        str(inventory),
        "stage.yml",
        "--extra-vars",
        f"stack_stage_root={target}",
    ]


def measure() -> list[dict[str, object]]:
    """Return a row per figure: name, value, unit, bound, and what it is compared with."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inventory(folder / "one", 1)
        write_inventory(folder / "fleet", FLEET)
        folder.joinpath("empty.yml").write_text(EMPTY_PLAY, encoding="utf-8")
        empty = ["ansible-playbook", "--inventory", str(folder / "one"), str(folder / "empty.yml")]
        pair = compare(_stage(folder / "one", folder / "staged"), empty)
        fleet = seconds(_stage(folder / "fleet", folder / "staged-fleet"))
        files = sum(path.is_file() for path in (folder / "staged-fleet").rglob("*"))
    return [
        {
            "figure": "stage one host / an empty play",
            "value": round(pair.ratio, 2),
            "unit": "times",
            "bound": RATIO_ALLOWED,
            "detail": f"{pair.ours:.2f} s / {pair.rival:.2f} s, medians of {pair.runs} pairs",
        },
        {
            "figure": f"stage {FLEET} hosts",
            "value": round(fleet, 1),
            "unit": "s",
            "bound": SECONDS_ALLOWED,
            "detail": f"{files} files, one run",
        },
    ]
