"""An echo consumer: takes messages in bulk and publishes a SUCCESS for each, as Celery's backend does.

It runs no task: what is measured against it is the generator. `python -m loadtests.generator.echo` serves the queues of the target
that LOAD_TARGET names, which is one of a worker, until it is ended.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import redis

from loadtests.generator.call import RESULT
from loadtests.generator.link import END, Link, client, command
from loadtests.generator.target import Target

AHEAD = 500  # messages that are asked for ahead: a worker may BRPOP, and nothing that takes several
POP = 5  # lines of an answer: *2 $n key $n message
ID = re.compile(rb'"correlation_id": "([^"]+)"')
EXPIRES = b"86400"  # seconds: Celery's default


class Echo:
    """Answers the tasks of a target's queues. Single tasks: the end of a chain is not its first task's id."""

    def __init__(self, target: Target) -> None:
        """Connect; the target is that of a worker."""
        self._source = Link(client(target, target.broker))
        self._sink = Link(client(target, target.results))
        self._prefix = (target.key_prefix + RESULT).encode()
        keys = [(target.key_prefix + queue).encode() for queue in target.queues]
        self._pop = command(b"BRPOP", *keys, b"0")

    def run(self) -> None:
        """Answer, for ever.

        Raises:
            redis.RedisError: if a connection breaks, or a command is refused.
        """
        self._source.send(self._pop * AHEAD)
        rest = b""
        while True:
            *lines, rest = (rest + self._source.receive()).split(END)
            refuse(lines)
            whole = len(lines) - len(lines) % POP
            messages = lines[POP - 1 : whole : POP]
            rest = END.join([*lines[whole:], rest])
            if messages:
                self._answer(messages)
                self._source.send(self._pop * len(messages))

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
        self._sink.send(b"".join(parts))
        lines: list[bytes] = []
        rest = b""
        while len(lines) < len(parts):
            *some, rest = (rest + self._sink.receive()).split(END)
            lines += some
        refuse(lines)


def refuse(lines: list[bytes]) -> None:
    """Raise the first error that Redis answers with."""
    for line in lines:
        if line[:1] == b"-":
            raise redis.ResponseError(line[1:].decode())


if __name__ == "__main__":
    Echo(Target.named()).run()
