"""An echo consumer: takes messages in bulk and publishes a SUCCESS for each, as Celery's backend does.

It runs no task: what is measured against it is the generator. `python -m loadtests.echo` serves the queues of LOAD_TARGET
until it is ended.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from loadtests.call import RESULT
from loadtests.link import END, Link, client, command
from loadtests.target import Target

BULK = 500  # messages at once
ID = re.compile(rb'"correlation_id": "([^"]+)"')
EXPIRES = b"86400"  # seconds: Celery's default


class Echo:
    """Answers the tasks of a target's queues. Single tasks: the end of a chain is not its first task's id."""

    def __init__(self, target: Target) -> None:
        """Connect."""
        self._source = Link(client(target, target.broker))
        self._sink = Link(client(target, target.results))
        for link in (self._source, self._sink):
            link.patience(60.0)
        self._prefix = (target.key_prefix + RESULT).encode()
        self._keys = [(target.key_prefix + queue).encode() for queue in target.queues]

    def run(self) -> None:
        """Answer, for ever."""
        while True:
            # The first is waited for, with what came together with it taken after that.
            first = self._lines(self._source, command(b"BRPOP", *self._keys, b"10"), 5)
            messages = [first[4]] if len(first) > 4 else []
            for key in self._keys if messages else ():
                messages += self._lines(self._source, command(b"RPOP", key, b"%d" % BULK), 0)[2::2]
            if messages:
                self._answer(messages)

    def _answer(self, messages: list[bytes]) -> None:
        now = time.time()
        done = datetime.fromtimestamp(now, UTC).isoformat().encode()
        parts = []
        for message in messages:
            found = ID.search(message)
            if found is None:
                raise ValueError(f"no message of Celery: {message[:80]!r}")
            meta = (
                b'{"status": "SUCCESS", "result": {"started_at": %.6f, "finished_at": %.6f}, "traceback": null, '
                b'"children": [], "date_done": "%b", "task_id": "%b"}' % (now, now, done, found[1])
            )
            key = self._prefix + found[1]
            parts += [command(b"SETEX", key, EXPIRES, meta), command(b"PUBLISH", key, meta)]
        self._lines(self._sink, b"".join(parts), len(parts))

    @staticmethod
    def _lines(link: Link, request: bytes, count: int) -> list[bytes]:
        """Send a request; return the lines of its answer: so many, or, with 0, those of an array."""
        link.send(request)
        data = b""
        while True:
            data += link.receive()
            lines = data.split(END)
            if lines[0] in (b"*-1", b"$-1"):  # nothing was there
                return []
            wanted = count or 1 + 2 * int(lines[0][1:])
            if len(lines) > wanted:
                return lines[:wanted]


if __name__ == "__main__":
    Echo(Target.named()).run()
