"""Wheels of the requirements of workers and generators of load, for hosts that reach no package index."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

from engine.errors import NotPossible

# Requirements → the versions of Python that take them: Debian 12 has 3.11, Debian 13 has 3.13.
NEEDED = {"worker.txt": ("3.11.2", "3.13.5"), "worker-plus.txt": ("3.13.5",), "locust.txt": ("3.11.2", "3.13.5")}
CHECKOUT = Path(__file__).resolve().parents[1]


def needed(requirements: Path, python: str) -> list[str]:
    """Return the pinned requirements that hold for a version of Python on Linux, hashes included.

    pip would judge their markers by the Python that it runs on, whatever --python-version says.
    """
    major_minor = ".".join(python.split(".")[:2])
    environment = {
        "python_version": major_minor,
        "python_full_version": python,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
    }
    lines = requirements.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        pin, _, hashes = line.partition(" --hash")
        if not pin or pin.startswith("#"):
            continue
        requirement = Requirement(pin.strip())
        if requirement.marker is None or requirement.marker.evaluate(environment):
            found.append(f"{requirement.name}{requirement.specifier} --hash{hashes}")
    return found


def fill(folder: Path) -> Path:
    """Download the wheels that are missing; return the folder.

    Raises:
        NotPossible: if the index cannot be reached or has no wheel.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, versions in NEEDED.items():
        for python in versions:
            _fill(folder, CHECKOUT / "requirements" / name, python)
    return folder


def _fill(folder: Path, requirements: Path, python: str) -> None:
    pins = "\n".join(needed(requirements, python)) + "\n"
    listed = folder / f"{requirements.stem}-{python}.txt"
    if listed.exists() and listed.read_text(encoding="utf-8") == pins:
        return
    with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=folder) as draft:
        draft.write(pins)
        draft.flush()
        words = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--python-version", python.rsplit(".", 1)[0]]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "--quiet", "download", *words, "--dest", str(folder), "-r", draft.name],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise NotPossible(
            f"The wheels of {requirements.name} for Python {python} cannot be downloaded: "
            f"{' '.join(done.stderr.strip().splitlines()[-1:])}. Check the network, or name a mirror in PIP_INDEX_URL."
        )
    listed.write_text(pins, encoding="utf-8")
