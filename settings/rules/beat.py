"""Rules of periodic tasks: one beat, schedules that Celery can read."""

from __future__ import annotations

import difflib
import zoneinfo
from collections.abc import Iterator

from settings.fleet import Fleet
from settings.model.celery import BeatEntry
from settings.rules.rule import ERROR, WARNING, Rule, Violation, repeated

PERIODIC = "https://docs.celeryq.dev/en/stable/userguide/periodic-tasks.html"
# minute, hour, day of month, month, day of week: (count, least)
CRON_FIELDS = ((60, 0), (24, 0), (31, 1), (12, 1), (7, 0))
HOUR = 3600


def _one_beat(fleet: Fleet) -> Iterator[Violation]:
    for hosts in fleet.applications():
        beats: dict[str, str] = {}
        for host in hosts:
            if "beat" not in host.raw.groups:
                continue
            first = beats.setdefault(host.celery.app, host.name)
            if first != host.name:
                message = f"beat would run on {first} and {host.name}: each periodic task twice"
                fix = "keep one of them in the group beat"
                where = host.raw.places.of_group("beat")
                yield Violation(host, "celery_beat_schedule", message, fix=fix, where=where)
        for host in hosts:
            if host.celery.beat_schedule and host.celery.app not in beats:
                message = f"nothing sends {len(host.celery.beat_schedule)} periodic tasks: no host is in the group beat"
                yield Violation(host, "celery_beat_schedule", message, fix="put one host into the group beat")
                break


def _when(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for index, entry in enumerate(host.celery.beat_schedule):
            if (entry.every is None) == (entry.cron is None):
                said = "both `every` and `cron`" if entry.every else "neither `every` nor `cron`"
                yield Violation(host, "celery_beat_schedule", f"{entry.name} has {said}", (index, "name"), entry.name)


def _cron(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for index, entry in enumerate(host.celery.beat_schedule):
            if entry.cron is not None and (error := cron_error(entry.cron)):
                yield Violation(host, "celery_beat_schedule", f"{entry.name}: {error}", (index, "cron"), entry.cron)


def cron_error(text: str) -> str:
    """Return what is wrong with a crontab, or nothing; judged by Celery's own parser."""
    from celery.schedules import ParseException, crontab_parser  # 0.25 s: paid only where there is a crontab

    fields = text.split()
    if len(fields) != len(CRON_FIELDS):
        return f"a crontab has 5 fields, and this has {len(fields)}"
    for field, (count, least) in zip(fields, CRON_FIELDS, strict=True):
        try:
            parsed = crontab_parser(count, least).parse(field)
        except (ParseException, ValueError, ZeroDivisionError) as error:
            return f"{field}: {error}"
        if not parsed:
            return f"{field} never comes"
    return ""


def _names(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for index, name in repeated([entry.name for entry in host.celery.beat_schedule]):
            yield Violation(host, "celery_beat_schedule", f"two entries are called {name}", (index, "name"), name)


def _often(entry: BeatEntry) -> bool:
    """Whether an entry is due more than once an hour."""
    if entry.every is not None:
        return entry.every < HOUR
    minutes = (entry.cron or "").split()[:1]
    return bool(minutes) and not minutes[0].isdigit()


def _expires(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for index, entry in enumerate(host.celery.beat_schedule):
            if entry.expires is None and _often(entry):
                message = f"runs of {entry.name} pile up while no worker is there"
                fix = f"set expires: {entry.every:g}" if entry.every else "set expires to about its interval"
                yield Violation(host, "celery_beat_schedule", message, (index, "name"), entry.name, fix)


def _timezone(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        zone = host.celery.timezone
        if not _is_zone(zone):
            near = difflib.get_close_matches(zone, sorted(zoneinfo.available_timezones()), n=1)
            fix = f"write {near[0]}" if near else "write UTC or Continent/City"
            yield Violation(host, "celery_timezone", "there is no such time zone", value=zone, fix=fix)


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no key at all, a folder of zones
        return False
    return True


RULES = (
    Rule(
        id="one-beat",
        severity=ERROR,
        says="A schedule has exactly one beat.",
        why="two beats send everything twice, none sends nothing",
        source=PERIODIC,
        fix="put exactly one host into the group beat",
        check=_one_beat,
    ),
    Rule(
        id="beat-when",
        severity=ERROR,
        says="A periodic task has an interval or a crontab.",
        why="beat could not tell when",
        source=PERIODIC,
        fix="keep one of the two",
        check=_when,
        acceptable=False,
    ),
    Rule(
        id="beat-cron",
        severity=ERROR,
        says="A crontab is one that Celery can read.",
        why="beat ends with an error",
        source=PERIODIC,
        fix='write "minute hour day month weekday"',
        check=_cron,
        acceptable=False,
    ),
    Rule(
        id="beat-names",
        severity=ERROR,
        says="Periodic tasks have names of their own.",
        why="the second would replace the first",
        source=PERIODIC,
        fix="rename one",
        check=_names,
        acceptable=False,
    ),
    Rule(
        id="beat-expires",
        severity=WARNING,
        says="Runs of a frequent periodic task expire.",
        why="after a pause of the workers all missed runs start at once",
        source=PERIODIC,
        fix="set expires",
        check=_expires,
    ),
    Rule(
        id="timezone-known",
        severity=ERROR,
        says="The time zone exists.",
        why="beat ends with an error",
        source="https://docs.celeryq.dev/en/stable/userguide/configuration.html",
        fix="write UTC",
        check=_timezone,
        acceptable=False,
    ),
)
