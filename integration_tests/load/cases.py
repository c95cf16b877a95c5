"""What is sent both by Celery and by the generator, to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

Case = tuple[Sequence[tuple[str, Sequence[Any]]], dict[str, Any], dict[str, Any]]  # tasks, kwargs, options

CASES: dict[str, Case] = {
    "plain": ([("probe.noop", ())], {}, {}),
    "arguments": ([("probe.add", (1, 2.5))], {}, {}),
    "keyword arguments": ([("probe.add", ())], {"x": 1, "y": -2}, {}),
    "percent, quotes, umlauts": ([("probe.echo", ('100 % of "it\'s" \u00fcber %(id)s\n',))], {}, {}),
    "nested arguments": ([("probe.echo", ({"a": [1, None, True, {"b": "c"}]},))], {}, {}),
    "a large payload": ([("probe.echo", ("x" * 5000,))], {}, {}),
    "true is not one": ([("probe.echo", (True,))], {}, {}),
    "one is not true": ([("probe.echo", (1,))], {}, {}),
    "queue": ([("probe.noop", ())], {}, {"queue": "slow"}),
    "routed by name, with a priority": ([("probe.sleep", (0,))], {}, {}),
    **{f"priority {level}": ([("probe.noop", ())], {}, {"priority": level}) for level in (0, 1, 3, 5, 6, 9)},
    "countdown": ([("probe.noop", ())], {}, {"countdown": 20}),
    "no countdown": ([("probe.noop", ())], {}, {"countdown": 0, "eta": None}),
    "eta": ([("probe.noop", ())], {}, {"eta": datetime(2126, 1, 2, 3, 4, 5, 678, tzinfo=UTC)}),
    "expires": ([("probe.noop", ())], {}, {"expires": 90.5}),
    "countdown and expires": ([("probe.noop", ())], {}, {"countdown": 5, "expires": 5}),
    "time limits": ([("probe.noop", ())], {}, {"time_limit": 30, "soft_time_limit": 20.5}),
    "headers": ([("probe.noop", ())], {}, {"headers": {"trace": "100 % \u00fc", "deep": {"a": [1]}}}),
    "result not wanted": ([("probe.noop", ())], {}, {"ignore_result": True}),
    "shadow": ([("probe.noop", ())], {}, {"shadow": "another name"}),
    "retries": ([("probe.noop", ())], {}, {"retries": 2}),
    "a task with options of its own": ([("probe.crash", (1,))], {}, {}),
    "a task that nobody has here": ([("elsewhere.task", (1,))], {}, {"queue": "fast"}),
    "chain": ([("probe.add", (1, 2)), ("probe.add", (3,)), ("probe.echo", ())], {}, {}),
    "chain with keyword arguments": ([("probe.add", (1,)), ("probe.add", (3,))], {"y": 2}, {}),
    "chain with options": ([("probe.add", (1, 2)), ("probe.echo", ())], {}, {"queue": "slow", "countdown": 7}),
    "chain with a percent sign": ([("probe.echo", ("50 %",)), ("probe.add", ("%(id0)s 7 %",))], {}, {}),
}
