"""Celery's Redis result backend, which stores the first result of a task in one step in place of two.

Before it stores, Celery 5.7 reads what is there, so that a task that ran twice cannot overwrite a success. Mostly nothing
is: then Redis itself stores and announces, if nothing is there. Else, and for every state but a final one, all goes Celery's
way.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from celery import states
from celery.app.backends import BACKEND_ALIASES
from celery.backends.redis import RedisBackend, SentinelBackend
from kombu.utils.encoding import bytes_to_str

# Keys: the result's. Arguments: the result; the seconds that it is kept, or 0. What Celery does in SETEX and PUBLISH.
STORE_IF_NONE = """
local stored
if tonumber(ARGV[2]) > 0 then
    stored = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2])
else
    stored = redis.call('SET', KEYS[1], ARGV[1], 'NX')
end
if not stored then
    return 0
end
redis.call('PUBLISH', KEYS[1], ARGV[1])
return 1
"""


class OneStep:
    """Stores first results so."""

    app: Any
    client: Any
    expires: Any
    failure_expires: Any
    _MAX_STR_VALUE_SIZE: int

    @cached_property
    def _store_if_none(self) -> Any:
        return self.client.register_script(STORE_IF_NONE)

    def _store_result(
        self, task_id: Any, result: Any, state: str, traceback: Any = None, request: Any = None, **kwargs: Any
    ) -> Any:
        backend: Any = self
        # Where STARTED is stored, something is there already.
        if state in states.READY_STATES and not self.app.conf.task_track_started:
            meta = backend._get_result_meta(result=result, state=state, traceback=traceback, request=request)
            text = backend.encode({**meta, "task_id": bytes_to_str(task_id)})
            kept = (self.failure_expires if state == states.FAILURE else self.expires) or 0
            step = {"keys": [backend.get_key_for_task(task_id)], "args": [text, kept]}
            if len(text) <= self._MAX_STR_VALUE_SIZE and backend.ensure(lambda: self._store_if_none(**step), ()):
                return result
        return super()._store_result(task_id, result, state, traceback=traceback, request=request, **kwargs)  # type: ignore[misc]


class Backend(OneStep, RedisBackend):  # type: ignore[misc]
    """As `redis`."""


class OfSentinel(OneStep, SentinelBackend):  # type: ignore[misc]
    """As `sentinel`."""


BACKEND_ALIASES.update(redis=f"{__name__}:Backend", rediss=f"{__name__}:Backend", sentinel=f"{__name__}:OfSentinel")
