"""The processes of this machine, read from /proc."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

LOOK = 0.02  # seconds between two looks of a watch


@dataclass(frozen=True)
class Process:
    """A process, as far as we may see it."""

    pid: int
    command: str  # its arguments, joined by blanks
    folder: str  # its working directory; empty where we may not see it
    program: str

    def of(self, root: Path) -> bool:
        """Whether it runs from a directory tree, works in it, or names it."""
        below = f"{root}/"
        return below in f"{self.folder}/" or self.program.startswith(below) or below in f"{self.command}/"


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def processes() -> list[Process]:
    """Return every process but this one; those that end meanwhile are left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = entry.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if command:
            found.append(Process(int(entry.name), command, _link(entry / "cwd"), _link(entry / "exe")))
    return found


def environment(pid: int) -> str:
    """Return the environment of a process; empty where we may not see it."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().replace(b"\0", b"\n").decode(errors="replace")
    except OSError:
        return ""


def runs(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class ArgumentsWatch:
    """Looks at the arguments of all processes while its block runs: what a short-lived one shows counts, too."""

    def __init__(self, words: Iterable[str]) -> None:
        """Watch for words that no argument may hold."""
        self.words = tuple(words)
        self.looks = 0
        self.seen: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> ArgumentsWatch:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(LOOK):
            self.looks += 1
            self.seen.update(one.command for one in processes() if any(word in one.command for word in self.words))
