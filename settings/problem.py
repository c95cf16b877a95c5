"""A problem of an inventory, and how it is shown to a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

NAMED_HOSTS = 3  # a problem of more hosts counts them


class Severity(StrEnum):
    """Whether a finding stops the deploy."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    """One finding: the value, the place, the rule, the reason and the fix."""

    rule: str
    message: str
    fix: str
    variable: str = ""
    value: str = ""
    where: str = ""
    why: str = ""
    severity: Severity = Severity.ERROR
    hosts: tuple[str, ...] = field(default=(), compare=False)
    accepted: str = ""  # the reason under which this risk is accepted

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "rule": self.rule,
            "severity": "accepted" if self.accepted else self.severity.value,
            "variable": self.variable,
            "value": self.value,
            "where": self.where,
            "hosts": list(self.hosts),
            "message": self.message,
            "why": self.why,
            "fix": self.fix,
            "accepted": self.accepted,
        }

    def as_text(self) -> str:
        """Return it as the lines that a person reads."""
        said = f"{self.variable} = {self.value}" if self.variable and self.value else self.variable
        head = " ".join(part for part in (f"{self.where}:" if self.where else "", said) if part)
        kind = "accepted risk" if self.accepted else self.severity.value
        lines = [f"{kind} [{self.rule}] {head}".rstrip(), f"    {self.message}"]
        if self.why:
            lines.append(f"    why: {self.why}")
        if self.accepted:
            lines.append(f"    accepted: {self.accepted}")
        else:
            lines.append(f"    fix: {self.fix}")
        if self.hosts and len(self.hosts) <= NAMED_HOSTS:
            lines.append(f"    on: {', '.join(self.hosts)}")
        elif self.hosts:
            lines.append(f"    on: {len(self.hosts)} hosts, {self.hosts[0]} the first")
        return printable("\n".join(lines))


def printable(text: str) -> str:
    """Return a text that any terminal takes: nothing that UTF-8 cannot carry, no control characters."""
    safe = text.encode("utf-8", "backslashreplace").decode()
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in safe)


class InventoryRefused(Exception):  # noqa: N818 - it says what happened
    """An inventory that must not be deployed; carries every problem of it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems; the message lists them all."""
        self.problems = tuple(problems)
        super().__init__(report(self.problems))


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Return those that stop a deploy."""
    return [problem for problem in problems if problem.severity is Severity.ERROR and not problem.accepted]


def merge_hosts(problems: Iterable[Problem]) -> list[Problem]:
    """Report a problem that many hosts share once, with the hosts' names."""
    merged: dict[Problem, list[str]] = {}
    for problem in problems:
        hosts = merged.setdefault(problem, [])
        hosts.extend(host for host in problem.hosts if host not in hosts)
    return [
        Problem(**{**{name: getattr(problem, name) for name in Problem.__dataclass_fields__}, "hosts": tuple(hosts)})
        for problem, hosts in merged.items()
    ]


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sort problems as a person works through them: file by file, line by line; what has no place comes last."""

    def place(problem: Problem) -> tuple[bool, str, int]:
        path, _, line = problem.where.rpartition(":")
        return (not problem.where, path or line, int(line) if path and line.isdigit() else 0)

    return sorted(problems, key=place)


def report(problems: Sequence[Problem]) -> str:
    """Return all problems and a closing line that counts them."""
    problems = in_order(problems)
    found = errors(problems)
    warnings = [problem for problem in problems if problem.severity is Severity.WARNING and not problem.accepted]
    accepted = [problem for problem in problems if problem.accepted]
    counts = [f"{len(found)} error{'s' * (len(found) != 1)}"]
    if warnings:
        counts.append(f"{len(warnings)} warning{'s' * (len(warnings) != 1)}")
    if accepted:
        counts.append(f"{len(accepted)} accepted")
    return "\n".join([*(problem.as_text() for problem in (*found, *warnings, *accepted)), ", ".join(counts)])
