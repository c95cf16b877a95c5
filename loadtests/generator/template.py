"""Fills in what differs from message to message, at a hundredth of what Celery needs to make one."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from celery import Celery
from celery.utils.saferepr import saferepr
from kombu.utils.json import dumps

from loadtests.generator.call import AHEAD

PLAIN = frozenset((int, float, bool, type(None)))


@dataclass
class Template:
    """The message of a task with certain options, but for ids, times and arguments."""

    app: Celery
    key: bytes  # the list in Redis that it is pushed to
    envelope: str
    body: str
    links: int  # tasks in it: 1, or the length of a chain
    countdown: float | None = None  # seconds
    expires: float | None = None
    kept: bool = True  # a result is stored
    _last: tuple[str, dict[str, str]] = field(default=("", {}), repr=False)

    def render(
        self,
        ids: Sequence[str],
        tag: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        eta: datetime | None = None,
    ) -> bytes:
        """Return the message as it lies in Redis.

        Args:
            ids: of the tasks, in their order: as many as `links`.
            tag: the delivery tag, unique among all messages.
            args: of the (first) task.
            kwargs: of the same.
            eta: in place of a countdown, where the template has one.
        """
        slots = {"id": ids[0], "tag": tag, **self._arguments(args, kwargs or {})}
        if self.countdown is not None or self.expires is not None:
            now = self.app.now() - timedelta(seconds=AHEAD)
            slots["eta"] = (eta or now + timedelta(seconds=self.countdown or 0)).isoformat()
            slots["expires"] = (now + timedelta(seconds=self.expires or 0)).isoformat()
        if self.links > 1:
            slots["body"] = _packed(self.body % {**slots, **{f"id{number}": one for number, one in enumerate(ids)}})
        return (self.envelope % slots).encode()

    def _arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, str]:
        """Return what a message says of its arguments. The last is remembered: most load repeats itself."""
        said = f"{args!r}{kwargs!r}"  # not the objects: 1 == True, and a list may change
        if self._last[0] != said:
            amqp = self.app.amqp
            texts = {"args": dumps(args), "kwargs": dumps(kwargs)}
            shown = {
                "argsrepr": self._shown(args, amqp.argsrepr_maxsize),
                "kwargsrepr": self._shown(kwargs, amqp.kwargsrepr_maxsize),
            }
            # one task's body holds no id: it is packed once
            packed = {"body": _packed(self.body % texts)} if self.links == 1 else texts
            self._last = (said, shown | packed)
        return self._last[1]

    def _shown(self, value: Sequence[Any] | Mapping[str, Any], longest: int) -> str:
        """Return Celery's representation of arguments, as the inside of a JSON string."""
        if not value or (isinstance(value, tuple) and all(type(one) in PLAIN for one in value)):
            plain = repr(value)
            if len(plain) <= longest:
                return plain  # the same, in a tenth of the time
        return str(dumps(saferepr(value, longest, maxlevels=self.app.conf.task_repr_maxlevels)))[1:-1]


def _packed(body: str) -> str:
    return base64.b64encode(body.encode()).decode()
