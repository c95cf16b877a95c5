"""What a broken inventory says of itself: `# expect: <rule> <variable>` on the line at fault, or a line of expect.txt."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "broken"
Expectation = tuple[str, str, str]  # rule, variable, place relative to the inventory


def cases() -> list[Path]:
    """Return the folders of all broken inventories."""
    return sorted(path for path in FOLDER.iterdir() if path.is_dir())


def expected(case: Path) -> set[Expectation]:
    """Return what `make validate` has to say about a broken inventory."""
    found: set[Expectation] = set()
    for path in sorted(case.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_text(encoding="utf-8", errors="replace")
        if path.name == "expect.txt":
            found.update(_listed(line) for line in content.splitlines())
            continue
        for number, line in enumerate(content.split("\n"), start=1):
            for rule, variable in re.findall(r"expect: ([a-z-]+)(?: (\S+))?", line):
                found.add((rule, variable, f"{path.relative_to(case)}:{number}"))
    return found


def _listed(line: str) -> Expectation:
    rule, variable, place = line.split()
    return rule, variable.replace("-", "", 1) if variable == "-" else variable, "" if place == "-" else place


def relative(where: str, case: Path) -> str:
    """Return a reported place relative to its inventory."""
    if not where:
        return ""
    path, _, line = where.partition(":")
    short = Path(path).resolve(strict=False).relative_to(case.resolve())
    return f"{short}:{line}" if line else str(short)
