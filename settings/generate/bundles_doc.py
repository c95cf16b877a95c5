"""The part of docs/settings.md about `celery_profile`: which setting gets which value where, and why."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic.fields import FieldInfo

from settings.bundles import BUNDLES, Bundle, Value
from settings.generate.human import default_of, flow
from settings.model.celery import Celery, Worker

HEAD = """\
### celery_profile

A profile is a bundle of defaults: what the inventory says itself wins, value by value. `safe` is what the tables around
this one say. `make benchmark` measures throughput and latency against Celery's own defaults.
"""
LIMITS = """\
*No limits* is a group to which no time limit applies (`celery_task_time_limit` and `celery_task_soft_time_limit` without a
value, or `time_limit: 0` and `soft_time_limit: 0`) and which says no `max_tasks_per_child` or `max_memory_per_child`: what only
children keep. A group that says `concurrency` or `autoscale`, or another pool than prefork and solo, keeps its own shape.
"""


def bundles_doc() -> str:
    """Return the sentences and the table."""
    says = "\n".join(f"- **{name}**: {bundle.says}" for name, bundle in BUNDLES.items())
    others = [name for name in BUNDLES if name != "safe"]
    head = f"| setting | safe | {' | '.join(others)} | why |\n|{' --- |' * (len(others) + 3)}"
    return "\n".join([HEAD, says + "\n", head, *_rows(others)]) + "\n\n" + LIMITS


def _rows(others: list[str]) -> Iterator[str]:
    for name, field in Celery.model_fields.items():
        yield from _row(f"`celery_{name}`", field, {one: BUNDLES[one].settings.get(name) for one in others})
    for name, field in Worker.model_fields.items():
        for part, note in (("shape", ""), ("unlimited", ", no limits")):
            found = {one: _part(BUNDLES[one], part).get(name) for one in others}
            yield from _row(f"`celery_workers[].{name}`{note}", field, found)


def _part(bundle: Bundle, part: str) -> dict[str, Value]:
    return dict(getattr(bundle, part))


def _row(name: str, field: FieldInfo, found: dict[str, Value | None]) -> Iterator[str]:
    values = [one for one in found.values() if one]
    if not values:
        return
    cells = [f"`{flow(one.value)}`" if one else "" for one in found.values()]
    why = "; ".join(dict.fromkeys(one.why for one in values))
    yield f"| {name} | `{flow(default_of(field))}` | {' | '.join(cells)} | {why} |"
