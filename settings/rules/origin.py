"""Whether a finding is owed to a value that no inventory says: one that `celery_profile` gives."""

from __future__ import annotations

from dataclasses import replace

from settings import bundles
from settings.fleet import Fleet, HostSettings
from settings.rules.rule import Rule, Violation

LONGEST = 4  # values that a message names


def explained(fleet: Fleet, rule: Rule, violation: Violation) -> Violation:
    """Name the values of a bundle that a finding is about, or without which it would not be one; and where to choose.

    The latter are found by trying: each value is taken back, one at a time, and then all of a host.
    """
    for host in sorted(fleet, key=lambda one: one is not violation.host):
        values = host.given.values
        own = bundles.key_of(violation.variable, violation.path) if host is violation.host else ()
        named = [key for key in values if key == own or not _broken(fleet, host, {key}, rule, violation)]
        if not named and (not values or _broken(fleet, host, set(values), rule, violation)):
            continue
        said = [f"{bundles.name_of(key)}: {_shown(values[key])}" for key in named[:LONGEST]]
        on = "" if host is violation.host else f" on {host.name}"
        return replace(
            violation,
            message=f"{violation.message}; celery_profile: {host.given.profile} "
            + (f"gives {', '.join(said)}{on}" if said else f"is the cause{on}"),
            where=violation.where
            or violation.host.place(violation.variable, *violation.path)
            or host.place("celery_profile"),
        )
    return violation


def _broken(fleet: Fleet, host: HostSettings, keys: set[bundles.Key], rule: Rule, violation: Violation) -> bool:
    other = replace(host, celery=bundles.without(host.celery, host.given, keys))
    tried = Fleet({name: other if one is host else one for name, one in fleet.hosts.items()})
    return any(_at(found) == _at(violation) for found in rule.check(tried))


def _at(violation: Violation) -> tuple[object, ...]:
    return (violation.host.name, violation.variable, violation.path)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
