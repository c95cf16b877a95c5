"""A program in a container: publishes, commands and sweeps where the Python of the tests cannot speak the transport.

celery-redis-plus takes Python 3.13. So this file runs in the workers' own image, with the stack's celeryconfig.py
(bench/remote.py starts it). It reads one request a line on stdin, as JSON, and answers each with one line on stdout.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, cast

from celery.app.utils import find_app


def publish(app: Any, signature: dict[str, Any], options: dict[str, Any]) -> Any:
    """Send a task or a workflow; return its result as a tuple, of which `celery.result.result_from_tuple` makes it again."""
    return app.signature(signature).apply_async(**options).as_tuple()


def broadcast(app: Any, command: str, destination: list[str], timeout: float, arguments: dict[str, Any]) -> Any:
    """Have workers do something of remote control; return what each replied."""
    return app.control.broadcast(
        command, arguments, destination=destination, reply=True, timeout=timeout, limit=len(destination)
    )


def sweep(app: Any) -> int:
    """Put back what is overdue, as every worker on redis-plus does each minute; return how many messages that were."""
    with app.connection() as connection, connection.channel() as channel:
        # A consumer that takes nothing: it says which queues are meant.
        app.amqp.TaskConsumer(channel).consume()
        return int(channel.enqueue_due_messages().redelivered)


def main() -> None:
    """Answer until stdin ends."""
    app = cast("Any", find_app(sys.argv[1]))
    app.loader.import_default_modules()
    does: dict[str, Callable[..., Any]] = {"publish": publish, "broadcast": broadcast, "sweep": sweep}
    for line in sys.stdin:
        try:
            request = json.loads(line)
            told = {"answer": does[request.pop("do")](app, **request)}
        except Exception as error:  # whatever class: the test is told, and the next request is answered
            told = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
