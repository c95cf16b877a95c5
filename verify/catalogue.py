"""Every promise there is, in the order in which a reader wants them; documents are generated from this."""

from __future__ import annotations

from verify.checks import (
    beat,
    behaviour,
    certificate,
    host,
    limits,
    managed,
    priority,
    queues,
    redis_server,
    restart,
    security,
    sentinel,
    workers,
    workflows,
)
from verify.model import GROUPS, Promise

_MODULES = (
    host,
    redis_server,
    security,
    certificate,
    sentinel,
    managed,
    workers,
    queues,
    behaviour,
    limits,
    workflows,
    priority,
    beat,
    restart,
)
_ALL = [promise for module in _MODULES for promise in module.PROMISES]

PROMISES: tuple[Promise, ...] = tuple(sorted(_ALL, key=lambda promise: list(GROUPS).index(promise.group)))
