"""What the workers say of themselves, over Celery's remote control."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import redis
from celery import Celery
from kombu.exceptions import OperationalError

# kombu hands on what redis-py raises as it is, a refusal for want of memory, for instance.
LOST = (OperationalError, redis.RedisError)
REPLY = 1.5  # seconds that a worker may take to answer
ASKED = 2  # times that it is asked
BEAT = "celerybeat@"  # begins the node name of a beat, which answers a ping and takes no tasks
LISTEN = 0.7  # seconds without a further reply after which nobody else is expected


@dataclass
class Inspection:
    """The replies of the expected workers; a node that is missing did not answer."""

    stats: dict[str, dict[str, Any]] = field(default_factory=dict)
    queues: dict[str, list[str]] = field(default_factory=dict)
    config: dict[str, dict[str, Any]] = field(default_factory=dict)
    error: str = ""  # why nobody could be asked

    @property
    def alive(self) -> set[str]:
        """The nodes that answered."""
        return set(self.stats)

    def processes(self, node: str) -> set[int]:
        """Return the pids of a prefork pool's children."""
        return set(self.stats.get(node, {}).get("pool", {}).get("processes", ()))


def ask(
    client: Celery, command: str, nodes: Collection[str], *, times: int = 1, wait: float = REPLY, **arguments: Any
) -> dict[str, Any]:
    """Ask nodes; return what was said. Ends with the last answer.

    Args:
        client: asks as the verifier.
        command: of Celery's remote control.
        nodes: who is asked.
        times: how often, those that did not answer: a busy host may need longer, and two workers of one name use up
            the number of replies that is waited for.
        wait: seconds without a reply after which nobody else is expected.
        arguments: of the command.

    Raises:
        kombu.exceptions.OperationalError, redis.RedisError: if the broker cannot be reached or refuses.
    """
    if not nodes:
        return {}
    found: dict[str, Any] = {}
    missing = sorted(nodes)
    for _ in range(times):
        replies = client.control.broadcast(
            command, arguments=arguments, destination=missing, reply=True, timeout=wait, limit=len(missing)
        )
        for reply in replies or []:
            found.update(reply)
        missing = [node for node in missing if node not in found]
        if not missing:
            break
    return found


def answering(client: Celery) -> list[str]:
    """Return every worker that answers a ping, expected or not, as often as it answers."""
    replies = client.control.broadcast("ping", reply=True, timeout=LISTEN) or []
    return sorted(node for reply in replies for node in reply if not node.startswith(BEAT))


def inspect(client: Celery, nodes: Collection[str]) -> Inspection:
    """Ask the expected nodes for their state and configuration."""
    found = Inspection()
    try:
        _fill(found, client, nodes)
    except LOST as error:
        found.error = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return found


def _fill(found: Inspection, client: Celery, nodes: Collection[str]) -> None:
    found.stats = ask(client, "stats", nodes, times=ASKED)
    alive = sorted(found.stats)
    found.queues = {
        node: [queue["name"] for queue in queues]
        for node, queues in ask(client, "active_queues", alive, times=ASKED).items()
    }
    found.config = ask(client, "conf", alive, times=ASKED, with_defaults=False)
