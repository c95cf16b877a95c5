"""A disk that can lose its power or be full: ext4 in a file, mounted through a loop device. It takes root on Linux."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import subprocess
from pathlib import Path

from engine.errors import NotPossible

BLOCK = 1024  # bytes: the smallest that ext4 gives
NEEDED = ("mkfs.ext4", "mount", "umount")


class NoDisk(NotPossible):
    """This machine or its user cannot mount."""


class Disk:
    """A small filesystem of its own."""

    def __init__(self, folder: Path, megabytes: int = 64) -> None:
        """Make and mount it.

        Args:
            folder: for the image and the mount point.
            megabytes: size of the image.

        Raises:
            NoDisk: where this machine or its user cannot mount.
        """
        missing = [program for program in NEEDED if not shutil.which(program)]
        if os.geteuid() or missing:
            raise NoDisk(f"a disk of its own takes root on Linux{f' and {missing[0]}' if missing else ''}.")
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "disk"
        self._folder = folder
        self._numbers = itertools.count()
        self._image = self._new()
        self._mounted = False
        with self._image.open("wb") as image:
            image.truncate(megabytes * 1024**2)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))  # no block is root's own: full is full
        self.path.mkdir(exist_ok=True)
        self._mount()

    def _new(self) -> Path:
        return self._folder / f"{next(self._numbers)}.img"

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.path))
        self._mounted = True

    def freeze(self) -> Path:
        """Copy what is on the platter at this moment; what the kernel has not written yet is not in it.

        There may be several copies: each is what one power cut leaves.
        """
        copy = self._new()
        _run("cp", "--sparse=always", str(self._image), str(copy))
        return copy

    def cut_power(self, copy: Path | None = None) -> None:
        """Go on with what a power cut leaves: the image as it was frozen. Nobody may have a file open.

        Args:
            copy: of `freeze`; taken now if not given.
        """
        copy = copy or self.freeze()
        self.unmount()
        self._image.unlink()
        self._image = copy
        self._mount()

    def fill(self) -> None:
        """Leave no room."""
        with (self.path / "filler").open("wb") as file:
            size, end = shutil.disk_usage(self.path).free, 0
            while size >= BLOCK:  # what the file itself takes of the free space shows only in the attempt
                try:
                    os.posix_fallocate(file.fileno(), end, size)
                    end += size
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2

    def empty(self) -> None:
        """Take back what `fill` took."""
        (self.path / "filler").unlink(missing_ok=True)

    def unmount(self) -> None:
        """Detach it; the kernel writes what it still holds into the image that is left behind."""
        if self._mounted:
            _run("umount", str(self.path))
            self._mounted = False


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoDisk(f"{' '.join(words)} failed: {done.stderr.strip()}")
