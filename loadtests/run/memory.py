"""How much memory worker processes take, the children of each among it.

Standard library only: on hosts this file runs by itself, over SSH. It reads what to look for as a line of JSON, then prints
a line of JSON a second, until its input ends.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PROC = Path("/proc")
YOUNG = 3  # looks at a process, before it is known for good: between fork and exec it is still its parent
EVERY = 1.0  # seconds
KIB = 1024

Names = Mapping[str, Sequence[str]]  # worker → texts, all of which its processes have in the file that tells them apart


class Memory:
    """Finds processes once and measures them again and again, which is what makes it cheap."""

    def __init__(self, names: Names, file: str = "cmdline") -> None:
        """Know nobody yet.

        Args:
            names: worker → texts.
            file: of /proc/<pid>, which has them: cmdline, or cgroup for processes of a container.
        """
        self._names = names
        self._file = file
        self._known: dict[str, tuple[int, str]] = {}  # process → how often it was looked at, and whose it is

    def sizes(self) -> dict[str, int]:
        """Return worker → bytes; one without a process is left out. Where there is no /proc, ps tells."""
        if not PROC.is_dir():
            return self._by_ps()
        there = [entry for entry in os.listdir(PROC) if entry.isdigit()]
        self._known = {pid: self._known.get(pid, (0, "")) for pid in there}
        found: dict[str, int] = {}
        for pid, (looks, name) in self._known.items():
            whose = name
            if looks < YOUNG:
                whose = self._whose(pid)
                self._known[pid] = looks + 1, whose
            if whose:
                found[whose] = found.get(whose, 0) + size(PROC / pid)
        return found

    def _whose(self, pid: str) -> str:
        if int(pid) == os.getpid():
            return ""
        try:
            text = (PROC / pid / self._file).read_text(encoding="utf-8", errors="replace").replace("\0", " ")
        except OSError:  # it ended, or is none of ours
            return ""
        return self._named(text)

    def _named(self, text: str) -> str:
        words = text.split()
        return next((name for name, texts in self._names.items() if all(_has(text, words, one) for one in texts)), "")

    def _by_ps(self) -> dict[str, int]:
        told = subprocess.run(["/bin/ps", "-A", "-o", "pid=,rss=,command="], capture_output=True, text=True, check=True)
        found: dict[str, int] = {}
        for line in told.stdout.splitlines():
            pid, resident, command = line.split(None, 2)
            name = self._named(command) if int(pid) != os.getpid() else ""
            if name:
                found[name] = found.get(name, 0) + int(resident) * KIB
        return found


def _has(text: str, words: Sequence[str], wanted: str) -> bool:
    """Whether a text is there: a name as a word of its own, as main-1@a begins main-1@ab; anything else anywhere."""
    return wanted in words if "@" in wanted else wanted in text


def size(process: Path) -> int:
    """Return the bytes that a process takes of the memory, of what it shares only its part; 0 if it has ended.

    Children of a pool share most of their memory with their parent: the sum of what each can see would count that
    again for each child. Where we may not ask for more, it is that sum.
    """
    try:
        with open(process / "smaps_rollup", "rb") as file:
            return next((int(line.split()[1]) * KIB for line in file if line.startswith(b"Pss:")), 0)
    except PermissionError:
        try:
            resident = int((process / "statm").read_text(encoding="ascii").split()[1])
        except OSError:
            return 0
        return resident * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def main() -> None:
    """Tell, until nobody wants to know."""
    memory = Memory(json.loads(sys.stdin.readline()))
    while True:
        print(json.dumps(memory.sizes()), flush=True)
        readable, _, _ = select.select([sys.stdin], [], [], EVERY)
        if readable:  # its end: nothing is ever said
            return


if __name__ == "__main__":
    main()
