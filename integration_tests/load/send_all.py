"""Send every case and print what lies in Redis: `python -m integration_tests.load.send_all celery|generator`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import redis

from integration_tests.load.cases import CASES, Case
from loadtests.generator.target import Target


def celery_sends() -> Callable[[Case], None]:
    """Return how the deployed application sends a case."""
    from celery import chain, signature

    from tasks.app import app

    def send(case: Case) -> None:
        steps, kwargs, options = case
        if len(steps) > 1:
            first, *later = (signature(task, args=args, app=app) for task, args in steps)
            chain(first.clone(kwargs=kwargs), *later, app=app).apply_async(**options)
            return
        (task, args), *_ = steps
        if task in app.tasks:
            app.tasks[task].apply_async(args, kwargs, **options)
        else:
            app.send_task(task, args, kwargs, **options)

    app.finalize()
    app.loader.import_default_modules()
    return send


def generator_sends() -> Callable[[Case], None]:
    """Return how the generator sends a case: its own client, acknowledged."""
    import gevent
    from locust.env import Environment

    from loadtests.generator.client import Client

    client = Client(Target.named(), Environment())

    def send(case: Case) -> None:
        steps, kwargs, options = case
        if len(steps) > 1:
            call = client.submit_chain(steps, kwargs, **options)
        else:
            call = client.submit(steps[0][0], steps[0][1], kwargs, **options)
        while not call.sent:
            gevent.sleep(0.001)

    return send


def main(who: str) -> None:
    """Send, take from Redis, print; each with the time before it was sent."""
    send: Callable[[Case], None] = {"celery": celery_sends, "generator": generator_sends}[who]()
    target = Target.named()
    asker: Any = redis.Redis.from_url(os.environ["CELERY_BROKER_URL"])
    keys = [
        target.key_prefix + queue + (f"\x06\x16{step}" if step else "")
        for queue in target.queues
        for step in target.priority_steps
    ]
    for name, case in CASES.items():
        at = time.time()
        send(case)
        key, message = asker.brpop(keys, timeout=10)
        print(json.dumps({"case": name, "at": at, "key": key.decode(), "message": message.decode()}))


if __name__ == "__main__":
    main(sys.argv[1])
