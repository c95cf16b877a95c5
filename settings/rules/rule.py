"""What a rule is: data, with one function that finds where it is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from settings.fleet import Fleet, HostSettings
from settings.problem import Severity


@dataclass(frozen=True)
class Violation:
    """One place where a rule is broken."""

    host: HostSettings
    variable: str
    message: str
    path: tuple[str | int, ...] = ()
    value: str = ""
    fix: str = ""  # more exact than the rule's own


@dataclass(frozen=True)
class Rule:
    """A contradiction between settings."""

    id: str
    severity: Severity
    says: str  # what must hold, one sentence
    why: str
    source: str
    fix: str
    check: Callable[[Fleet], Iterator[Violation]]
    acceptable: bool = True  # may be waived by `accepted_risks`; not where the deployment could not work at all


ERROR, WARNING = Severity.ERROR, Severity.WARNING
