"""Drain a Celery node, or wait until it consumes. Managed by Ansible: edit the repository, then `make deploy`.

    celery-node.py drain fast-1@worker-1 60    take nothing new, finish what runs; 60 s at most
    celery-node.py answers fast-1@worker-1 60  wait until it answers
    celery-node.py ready fast-1@worker-1 60    wait until it answers and, a worker, consumes

Runs in the release's virtual environment, with celery.env in its environment. It imports no task: only the broker is
needed. A drain comes before a stop because a warm stop that races with the end of a task delivers that task again.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from celery import Celery

REPLY = 1.0  # seconds that a node may take to answer
POLL = 0.1  # seconds between two questions
BEAT = "celerybeat@"
USAGE = 2


def connect() -> Celery:
    """Return an application with the deployed configuration and no tasks."""
    app = Celery("celery-node", set_as_current=False)
    app.config_from_object(os.environ["CELERY_CONFIG_MODULE"])
    return app


def ask(app: Celery, node: str, command: str, **arguments: Any) -> Any:
    """Return what a node answers; None where it does not."""
    replies = app.control.broadcast(command, arguments, destination=[node], reply=True, timeout=REPLY, limit=1)
    return replies[0][node] if replies else None


def held(app: Celery, node: str) -> int | None:
    """Return how many tasks a node runs or has reserved; None where it does not answer. ETA tasks go back to the queue."""
    found = [ask(app, node, command) for command in ("active", "reserved")]
    return None if None in found else sum(map(len, found))


def drain(app: Celery, node: str, deadline: float) -> str:
    """Stop consuming, then wait until nothing is held; return what came of it."""
    queues = [queue["name"] for queue in ask(app, node, "active_queues") or []]
    for queue in queues:
        ask(app, node, "cancel_consumer", queue=queue)
    began = time.monotonic()
    while (count := held(app, node)) != 0:
        if count is None:
            return f"{node} does not answer: it is down or busy, and is stopped as it is"
        if time.monotonic() > deadline:
            return f"{node} still holds {count} tasks: the stop waits for those that run, the others go back"
        time.sleep(POLL)
    return f"{node} drained in {time.monotonic() - began:.1f} s"


def answers(app: Celery, node: str, deadline: float, *, consuming: bool = False) -> str:
    """Wait until a node answers and, where that is asked, consumes; return why not, or nothing."""
    while True:
        try:
            if ask(app, node, "active_queues" if consuming else "ping"):
                return ""
            why = "it does not answer" + (", or consumes nothing" if consuming else "")
        except Exception as error:  # whatever class: the broker may be just starting
            why = f"the broker cannot be asked: {type(error).__name__}: {' '.join(str(error).split())}"
        if time.monotonic() > deadline:
            return f"{node} is not ready: {why}"
        time.sleep(POLL)


def ready(app: Celery, node: str, deadline: float) -> str:
    """Wait until a worker consumes, or beat answers, which it does while it ticks; return why not, or nothing."""
    return answers(app, node, deadline, consuming=not node.startswith(BEAT))


def main() -> int:
    """Do what the arguments say; exit code 1 where it was not reached."""
    try:
        what, node, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
        act = {"drain": drain, "answers": answers, "ready": ready}[what]
    except (IndexError, ValueError, KeyError):
        print(__doc__, file=sys.stderr)
        return USAGE
    try:
        said = act(connect(), node, time.monotonic() + seconds)
    except Exception as error:  # a drain must not keep anybody from stopping: say why it was none
        said = f"{node} cannot be asked: {type(error).__name__}: {' '.join(str(error).split())}"
    if said:
        print(said)
    return int(bool(said) and not said.startswith(f"{node} drained"))


if __name__ == "__main__":
    sys.exit(main())
