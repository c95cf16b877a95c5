"""Whether a finding is owed to a value that no inventory says: one that `celery_profile` gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from settings import bundles
from settings.fleet import Fleet, HostSettings
from settings.rules.rule import Rule, Violation

LONGEST = 4  # values that a message names
Place = tuple[object, ...]
Broken = Callable[[Fleet], set[Place]]  # where a rule is broken


def explained(fleet: Fleet, rule: Rule, found: list[Violation]) -> list[Violation]:
    """Name the values of bundles that findings are about, or without which they would not be; and where to choose.

    The latter are found by trying: each value is taken back, one at a time. Other hosts' are tried only where nothing
    would be broken if no bundle gave anything.
    """
    giving = [host for host in fleet if host.given.values]
    if not found or not giving:
        return found

    def broken(tried: Fleet) -> set[Place]:
        return {_place(violation) for violation in rule.check(tried)}

    @cache
    def anyway() -> set[Place]:
        return broken(_without(fleet, {host.name: set(host.given.values) for host in giving}))

    return [_explained(fleet, giving, violation, broken, anyway) for violation in found]


def _explained(
    fleet: Fleet, giving: list[HostSettings], violation: Violation, broken: Broken, anyway: Callable[[], set[Place]]
) -> Violation:
    own = violation.host
    named = _owing(fleet, own, violation, broken)
    if named:
        return _told(violation, own, named)
    if _place(violation) in anyway():
        return violation
    for host in giving:
        named = _owing(fleet, host, violation, broken) if host is not own else []
        if named:
            return _told(violation, host, named)
    return _told(violation, giving[0], [])  # of several values together


def _owing(fleet: Fleet, host: HostSettings, violation: Violation, broken: Broken) -> list[bundles.Key]:
    """Return the values of a host that a violation is about, or goes without."""
    about = bundles.key_of(violation.variable, violation.path) if host is violation.host else ()
    place = _place(violation)
    return [
        key for key in host.given.values if key == about or place not in broken(_without(fleet, {host.name: {key}}))
    ]


def _without(fleet: Fleet, keys: dict[str, set[bundles.Key]]) -> Fleet:
    """Return a fleet to which bundles did not give these values."""
    return Fleet(
        {
            name: replace(host, celery=bundles.without(host.celery, host.given, keys[name])) if name in keys else host
            for name, host in fleet.hosts.items()
        }
    )


def _told(violation: Violation, host: HostSettings, keys: list[bundles.Key]) -> Violation:
    said = ", ".join(f"{bundles.name_of(key)}: {_shown(host.given.values[key])}" for key in keys[:LONGEST])
    on = "" if host is violation.host else f" on {host.name}"
    return replace(
        violation,
        message=f"{violation.message}; celery_profile: {host.given.profile} "
        + (f"gives {said}{on}" if said else f"is the cause{on}"),
        where=violation.where
        or violation.host.place(violation.variable, *violation.path)
        or host.place("celery_profile"),
    )


def _place(violation: Violation) -> Place:
    return (violation.host.name, violation.variable, violation.path)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
