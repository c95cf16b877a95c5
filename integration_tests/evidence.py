"""What a failing test leaves behind: the logs, reports and outputs of every clone that is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from integration_tests.checkout import CHECKOUT, CLONES

ARTIFACTS = CHECKOUT / "build" / "artifacts"
# Here and not in conftest.py, which pytest imports under a name of its own: the key would be another one.
FAILED = pytest.StashKey[bool]()


def keep_evidence(folder: Path) -> None:
    """Copy logs, reports and outputs of every clone."""
    for number, clone in enumerate(CLONES, start=1):
        target = folder / f"{number}-{clone.folder.name[:20]}"
        target.mkdir(parents=True, exist_ok=True)
        told = (
            f"$ {' '.join(run.words)}\n{run.output}\nexit {run.code} after {run.seconds:.1f} s\n" for run in clone.runs
        )
        (target / "outputs.log").write_text("\n".join(told))
        for file in clone.logs:
            if file.is_file():
                shutil.copy(file, target / "-".join(file.relative_to(clone.folder).parts).lstrip("."))
        clone.keep(target)
