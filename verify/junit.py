"""JUnit for CI: the one writer of it, for whatever step has cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

Status = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Case:
    """A test case.

    Attributes:
        classname: what it belongs to.
        name: of itself.
        status: what became of it.
        message: why, in a line; what was found, where it passed.
        detail: more of a failure.
        seconds: it took.
    """

    classname: str
    name: str
    status: Status
    message: str = ""
    detail: str = ""
    seconds: float = 0.0


def write(path: Path, name: str, suites: Mapping[str, Sequence[Case]], *, started: str) -> None:
    """Write suites of cases; the directory is made.

    Args:
        path: of the file.
        name: of all suites together.
        suites: name → cases.
        started: date and time, ISO 8601.
    """
    root = ElementTree.Element("testsuites", name=name)
    for title, cases in suites.items():
        number = {status: sum(case.status == status for case in cases) for status in ("failed", "skipped")}
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=title,
            timestamp=started,
            tests=str(len(cases)),
            failures=str(number["failed"]),
            errors="0",
            skipped=str(number["skipped"]),
            time=f"{sum(case.seconds for case in cases):.3f}",
        )
        for case in cases:
            _write(suite, case)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _write(suite: ElementTree.Element, case: Case) -> None:
    names = {"classname": _printable(case.classname), "name": _printable(case.name)}
    element = ElementTree.SubElement(suite, "testcase", {**names, "time": f"{case.seconds:.3f}"})
    message = _printable(case.message)
    if case.status == "failed":
        ElementTree.SubElement(element, "failure", message=message).text = _printable(case.detail)
    elif case.status == "skipped":
        ElementTree.SubElement(element, "skipped", message=message)
    else:
        ElementTree.SubElement(element, "system-out").text = message


def _printable(text: str) -> str:
    """Leave out what XML 1.0 cannot hold: an exception's text may have anything."""
    return "".join(character for character in text if character in "\t\n" or character.isprintable())
