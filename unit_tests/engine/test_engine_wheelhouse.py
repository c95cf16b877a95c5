"""The wheels that are downloaded do for Debian's Python and for the official images."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.wheelhouse import CHECKOUT, NEEDED, needed

# The oldest patch that a worker meets is Debian's; the official images have a later one.
DEBIAN = {"3.11": "3.11.2", "3.13": "3.13.5"}


@pytest.mark.parametrize(
    ("name", "minor"),
    [
        ("worker.txt", "3.11"),
        ("worker.txt", "3.13"),
        ("worker-plus.txt", "3.13"),
        ("locust.txt", "3.11"),
        ("locust.txt", "3.13"),
    ],
)
def test_the_wheels_do_for_debians_python_and_every_later_patch(name: str, minor: str) -> None:
    requirements = CHECKOUT / "requirements" / name
    fetched = {pin for python in NEEDED[name] if python.startswith(f"{minor}.") for pin in needed(requirements, python)}
    wanted = {pin for python in (DEBIAN[minor], f"{minor}.99") for pin in needed(requirements, python)}
    assert wanted
    assert wanted <= fetched


def test_a_marker_is_judged_by_the_python_that_is_asked_for(tmp_path: Path) -> None:
    pins = tmp_path / "worker.txt"
    pins.write_text(
        "# made by pip compile\nold==1 ; python_full_version < '3.11.3' \\\n    --hash=sha256:aa\n"
        "windows==1 ; sys_platform == 'win32' \\\n    --hash=sha256:bb\nboth==2 \\\n    --hash=sha256:cc\n",
        encoding="utf-8",
    )
    assert needed(pins, "3.11.2") == ["old==1 --hash=sha256:aa", "both==2 --hash=sha256:cc"]
    assert needed(pins, "3.13.5") == ["both==2 --hash=sha256:cc"]
