"""How a probe is declared: its name, its binding to the deployed app, what it may use of Celery's task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from celery import shared_task


class Request(Protocol):
    """What a probe reads of the message it runs for (celery 5.7, app/task.py, Context)."""

    id: str | None
    retries: int
    hostname: str | None
    headers: dict[str, Any] | None
    delivery_info: dict[str, Any] | None


class BoundTask(Protocol):
    """What a bound probe uses of its task object; Celery ships no type information."""

    request: Request
    app: Any
    backend: Any

    def retry(self, *, exc: Exception, countdown: float, headers: dict[str, Any] | None = None) -> Exception:
        """Send the message again and raise Retry."""

    def update_state(self, *, state: str, meta: dict[str, Any]) -> None:
        """Store an intermediate state under the task's id."""


def probe(name: str, **options: object) -> Callable[[Callable[..., object]], Any]:
    """Declare a task named `probe.<name>`.

    Shared, so that it binds to whichever app is deployed. Limits, routes and acknowledgement stay out of the
    options: they are settings, and Celery takes them from the configuration when the task is silent.

    Args:
        name: the part after `probe.`; route patterns match the whole name, not the module path.
        options: further options of `celery.shared_task`.
    """
    return cast("Callable[[Callable[..., object]], Any]", shared_task(name=f"probe.{name}", **options))


def redelivered(request: Request) -> bool:
    """Tell whether this message was handed out before: put back by a reject, or by the visibility timeout.

    kombu's Redis transport sets the mark when it restores a message (kombu 5.7, transport/redis.py,
    _do_restore_message); celery-redis-plus sets the same.
    """
    return bool((request.delivery_info or {}).get("redelivered"))
