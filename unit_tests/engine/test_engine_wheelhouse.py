"""The wheels that are downloaded do for Debian's Python and for the official images."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.wheelhouse import CHECKOUT, NEEDED, needed


@pytest.mark.parametrize(("name", "python"), [(name, python) for name, of in NEEDED.items() for python in of])
def test_wheels_for_debians_python_do_for_every_later_patch(name: str, python: str) -> None:
    requirements = CHECKOUT / "requirements" / name
    latest = f"{python.rsplit('.', 1)[0]}.99"
    assert set(needed(requirements, latest)) <= set(needed(requirements, python))


def test_a_marker_is_judged_by_the_python_that_is_asked_for(tmp_path: Path) -> None:
    pins = tmp_path / "worker.txt"
    pins.write_text(
        "# made by pip compile\nold==1 ; python_full_version < '3.11.3' \\\n    --hash=sha256:aa\n"
        "windows==1 ; sys_platform == 'win32' \\\n    --hash=sha256:bb\nboth==2 \\\n    --hash=sha256:cc\n",
        encoding="utf-8",
    )
    assert needed(pins, "3.11.2") == ["old==1 --hash=sha256:aa", "both==2 --hash=sha256:cc"]
    assert needed(pins, "3.13.5") == ["both==2 --hash=sha256:cc"]
