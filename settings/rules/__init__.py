"""Rules between settings, as data. They see the whole fleet, not one host."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from settings.fleet import Fleet
from settings.problem import Problem
from settings.rules import celery, delivery, fleet_wide, redis, security
from settings.rules.rule import Rule, Violation

RULES: tuple[Rule, ...] = (
    *redis.RULES,
    *security.RULES,
    *delivery.RULES,
    *celery.RULES,
    *fleet_wide.RULES,
)
BY_ID = {rule.id: rule for rule in RULES}


def _accepted(fleet: Fleet) -> dict[str, str]:
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return {
        risk.id: risk.reason
        for host in fleet
        for risk in host.stack.accepted_risks
        if risk.until is None or risk.until >= today
    }


def findings(fleet: Fleet) -> Iterator[Problem]:
    """Judge a fleet by every rule; accepted risks come along, marked."""
    accepted = _accepted(fleet)
    for rule in RULES:
        for violation in rule.check(fleet):
            yield _problem(rule, violation, accepted.get(rule.id, "") if rule.acceptable else "")


def _problem(rule: Rule, violation: Violation, accepted: str) -> Problem:
    suffix = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in violation.path)
    return Problem(
        rule=rule.id,
        severity=rule.severity,
        variable=violation.variable + suffix,
        value=violation.value,
        where=violation.host.place(violation.variable, *violation.path),
        message=violation.message,
        why=rule.why,
        fix=violation.fix or rule.fix,
        hosts=(violation.host.name,),
        accepted=accepted,
    )
