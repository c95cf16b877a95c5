"""Rules between settings, as data. They see the whole fleet, not one host."""

from __future__ import annotations

from collections.abc import Iterator

from settings.fleet import Fleet
from settings.problem import Problem
from settings.rules import (
    access,
    backup,
    beat,
    broker,
    configuration,
    delivery,
    firewall,
    host,
    instances,
    load,
    memory,
    network,
    objectives,
    persistence,
    queues,
    risks,
    sentinel,
    tls,
    workers,
    workloads,
)
from settings.rules.origin import explained
from settings.rules.rule import Rule, Violation

# The order is that of docs/rules.md.
TOPICS = (
    memory,
    persistence,
    instances,
    network,
    tls,
    firewall,
    access,
    host,
    backup,
    delivery,
    workers,
    queues,
    broker,
    beat,
    configuration,
    sentinel,
    workloads,
    load,
    objectives,
    risks,
)
RULES: tuple[Rule, ...] = tuple(rule for topic in TOPICS for rule in topic.RULES)
BY_ID = {rule.id: rule for rule in RULES}


def findings(fleet: Fleet) -> Iterator[Problem]:
    """Judge a fleet by every rule; accepted risks come along, marked."""
    for rule in RULES:
        for violation in explained(fleet, rule, list(rule.check(fleet))):
            yield _problem(rule, violation)


def _problem(rule: Rule, violation: Violation) -> Problem:
    suffix = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in violation.path)
    risk = risks.accepted(violation.host, rule.id) if rule.acceptable else None
    until = f" (until {risk.until})" if risk and risk.until else ""
    return Problem(
        rule=rule.id,
        severity=rule.severity,
        variable=violation.variable + suffix,
        value=violation.value,
        where=violation.where or violation.host.place(violation.variable, *violation.path),
        message=violation.message,
        why=rule.why,
        fix=violation.fix or rule.fix,
        hosts=(violation.host.name,),
        accepted=risk.reason + until if risk else "",
    )
