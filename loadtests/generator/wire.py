"""Makes the templates of Celery's messages.

A template is made by Celery itself: it publishes once into a channel in memory. What differs from message to message
(ids, times, arguments) is cut out.
"""

from __future__ import annotations

import base64
import importlib
import re
from bisect import bisect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from celery import Celery, signature
from celery.canvas import chain
from kombu import Queue
from kombu.utils.json import dumps
from kombu.utils.uuid import uuid

from loadtests.generator.target import Target
from loadtests.generator.template import Template

# kombu 5.7, transport/redis.py: what stands between a queue and its priority
SEPARATOR = "\x06\x16"
# What is cut out of a message leaves this behind: no argument or option may look like it.
SLOT = re.compile(r"@slot:(\w+)@")
# Celery takes points in time, too; a template says them anew for every message.
SECONDS = ("countdown", "expires")

KEPT = 1000  # templates: options that differ with every message must not fill the memory

Step = tuple[str, Sequence[Any]]  # task and arguments


def _slot(name: str) -> str:
    return f"@slot:{name}@"


def _pattern(text: str) -> str:
    """Return a format for the % operator, with the slots as its keys."""
    return SLOT.sub(r"%(\1)s", text.replace("%", "%%"))


class Wire:
    """Makes templates for a target."""

    def __init__(self, target: Target) -> None:
        """Configure an application as the target's producers are, of which nothing reaches a network."""
        self._target = target
        self._app = application(target)
        self._templates: dict[tuple[str, str], Template] = {}

    def template(self, links: Sequence[Step], kwargs: Mapping[str, Any] | None = None, **options: Any) -> Template:
        """Return the template of a task, or of a chain of them.

        Args:
            links: tasks by name; the arguments of the first may differ from message to message.
            kwargs: of the first.
            options: of apply_async: queue, priority, countdown or eta, expires (seconds), time_limit,
                soft_time_limit, headers, ignore_result, shadow, retries …

        Raises:
            TypeError: if expires is no number of seconds.
            celery.exceptions.QueueNotFound: if the target has no such queue.
        """
        if options.pop("eta", None) is not None:
            options["countdown"] = 1.0  # any: `render` is told the time
        (first, _), *later = links
        key = first, repr((later, options)) if later or options else ""
        if key not in self._templates:
            if len(self._templates) >= KEPT:
                self._templates.clear()
            self._templates[key] = self._make(links, kwargs or {}, options)
        return self._templates[key]

    def _make(self, links: Sequence[Step], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> Template:
        for name in SECONDS:
            if not isinstance(options.get(name), int | float | None):
                raise TypeError(f"{name}={options[name]!r} is not a number of seconds")
        ids = [uuid() for _ in links]
        queue, message = _published(self._app, links, kwargs, options, ids)
        body = _open(message, ids, links[0][1], kwargs)
        priority = message["properties"]["priority"]
        steps = self._target.priority_steps
        step = steps[bisect(steps, priority) - 1]
        return Template(
            app=self._app,
            key=f"{self._target.key_prefix}{queue}{f'{SEPARATOR}{step}' if step else ''}".encode(),
            envelope=_pattern(dumps(message)),
            body=_pattern(body),
            links=len(links),
            countdown=options.get("countdown") or None,  # 0 is none to Celery
            expires=options.get("expires"),
            kept=not message["headers"]["ignore_result"],
        )


class InMemory(Celery):  # type: ignore[misc]
    """An application that reaches no network, whatever CELERY_BROKER_URL and CELERY_RESULT_BACKEND say here.

    Celery prefers these variables to any configured value (celery 5.7, app/utils.py, Settings).
    """

    backend_cls = "disabled"

    def connection_for_write(self, url: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """Return a connection to this process's memory."""
        return super().connection_for_write("memory://localhost/", *args, **kwargs)


def application(target: Target) -> Celery:
    """Return an application that publishes as the target's producers do, into memory."""
    app = InMemory("load", set_as_current=False)
    default = target.conf.get("task_default_queue", "celery")
    app.conf.update(
        target.conf,
        task_queues=[Queue(name, routing_key=name) for name in target.queues],
        task_default_exchange=default,
        task_default_routing_key=default,
        task_routes=tuple({match: said} for match, said in target.routes),
        broker_transport_options={
            "priority_steps": target.priority_steps,
            "queue_order_strategy": "priority",
            "global_keyprefix": target.key_prefix,
        },
        result_backend_transport_options={"global_keyprefix": target.key_prefix},
    )
    for module in target.imports:
        # Not on this machine: then its tasks are sent by name, as by any client that does not have them.
        with suppress(ModuleNotFoundError):
            importlib.import_module(module)
    app.finalize()
    return app


def call(app: Celery, links: Sequence[Step], kwargs: Mapping[str, Any], ids: Sequence[str]) -> Any:
    """Return the signature of a task or a chain with given ids: Celery's own way to send it."""
    signatures = [
        signature(task, args=args, kwargs=dict(kwargs) if number == 0 else {}, app=app, task_id=one)
        for number, ((task, args), one) in enumerate(zip(links, ids, strict=True))
    ]
    return signatures[0] if len(signatures) == 1 else chain(*signatures, app=app)


def _published(
    app: Celery, links: Sequence[Step], kwargs: Mapping[str, Any], options: Mapping[str, Any], ids: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """Have Celery publish; return the queue and kombu's envelope."""
    # Its own way from end to end: a chain takes no producer of ours (celery 5.7, canvas.py, _chain.run).
    call(app, links, kwargs, ids).apply_async(**options)
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        (queue,) = (name for name in app.amqp.queues if channel._has_queue(name) and channel._size(name))
        return queue, channel._get(queue)


def _open(message: dict[str, Any], ids: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Replace what differs between messages by slots; return the body, in clear, with slots of its own."""
    headers, properties = message["headers"], message["properties"]
    for name in ("id", "root_id"):
        headers[name] = _slot("id")
    properties["correlation_id"] = _slot("id")
    properties["delivery_tag"] = _slot("tag")
    for name in ("argsrepr", "kwargsrepr"):
        headers[name] = _slot(name)
    for name in ("eta", "expires"):
        if headers[name] is not None:
            headers[name] = _slot(name)
    text = base64.b64decode(message["body"]).decode()
    message["body"] = _slot("body")
    begin = f"[{dumps(args)}, {dumps(kwargs)}, "
    if not text.startswith(begin):
        raise NotImplementedError(f"Celery packs arguments in another way than known here: {text[:80]}")
    rest = text.removeprefix(begin)
    for number, one in enumerate(ids):
        rest = rest.replace(one, _slot(f"id{number}"))
    return f"[{_slot('args')}, {_slot('kwargs')}, {rest}"
