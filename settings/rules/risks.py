"""Rules of accepted risks: they name rules that exist, and run out."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from settings.fleet import Fleet, HostSettings
from settings.model.stack import AcceptedRisk
from settings.names import nearest
from settings.rules.rule import ERROR, WARNING, Rule, Violation


def today() -> datetime.date:
    """Return the day by which risks run out: everywhere the same, in UTC."""
    return datetime.datetime.now(tz=datetime.UTC).date()


def accepted(host: HostSettings, rule: str) -> AcceptedRisk | None:
    """Return the risk by which a host lives with a rule's findings today."""
    return next(
        (risk for risk in host.stack.accepted_risks if risk.id == rule and not (risk.until and risk.until < today())),
        None,
    )


def _known(fleet: Fleet) -> Iterator[Violation]:
    from settings.rules import BY_ID

    for host in fleet:
        for index, risk in enumerate(host.stack.accepted_risks):
            known = BY_ID.get(risk.id)
            if known is None:
                near = nearest(risk.id, BY_ID)
                message, fix = f"there is no rule {risk.id!r}", f"write {near}" if near else "see docs/rules.md"
            elif not known.acceptable:
                message, fix = f"{risk.id} cannot be accepted: the deployment would not work", known.fix
            else:
                continue
            yield Violation(host, "accepted_risks", message, (index, "id"), risk.id, fix)


def _current(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for index, risk in enumerate(host.stack.accepted_risks):
            if risk.until and risk.until < today():
                message = f"{risk.id} was accepted until {risk.until}"
                yield Violation(host, "accepted_risks", message, (index, "until"), str(risk.until))


RULES = (
    Rule(
        id="risk-known",
        severity=ERROR,
        says="An accepted risk names a rule that can be accepted.",
        why="a misspelt id accepts nothing",
        source="this repository",
        fix="see docs/rules.md",
        check=_known,
        acceptable=False,
    ),
    Rule(
        id="risk-current",
        severity=WARNING,
        says="An accepted risk has not run out.",
        why="it was to be looked at again",
        source="this repository",
        fix="mend it, or give it a new date and reason",
        check=_current,
    ),
)
