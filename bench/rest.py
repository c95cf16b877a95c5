"""A stack at rest: everything runs, nothing is queued, no fault is left."""

from __future__ import annotations

import contextlib

import redis

from bench.stack import Stack
from engine.waiting import await_truth

REST = 15.0  # seconds
HELD = ("unacked", "unacked_index")  # of the stock transport: messages that workers hold


def queued(stack: Stack) -> dict[str, int]:
    """Return queue → tasks that wait there, of all priorities; messages that workers hold stand under `unacked`."""
    celery = stack.fleet.celery_hosts()[0].celery
    found: dict[str, int] = {}
    with stack.client() as client:
        if stack.speaks_plus:  # the index holds all that is not acknowledged
            sets = {
                kind: {
                    queue.name: client.zcard(f"{celery.global_keyprefix}{kind}:{queue.name}") for queue in celery.queues
                }
                for kind in ("queue", "messages_index")
            }
            return {**sets["queue"], "unacked": sum(sets["messages_index"].values()) - sum(sets["queue"].values())}
        for queue in celery.queues:
            names = [queue.name, *(f"{queue.name}\x06\x16{step}" for step in celery.priority_steps if step)]
            found[queue.name] = sum(client.llen(f"{celery.global_keyprefix}{name}") for name in names)
        found["unacked"] = client.hlen(f"{celery.global_keyprefix}unacked")
    return found


def heal(stack: Stack) -> None:
    """Mend networks, let what is frozen go on, and start what does not run."""
    for host in stack.hosts.values():
        host.heal()
    for node in stack.nodes.values():
        node.resume()
        if not node.running:
            node.start()


def at_rest(stack: Stack, seconds: float = REST) -> None:
    """Heal what is still broken, and wait until nothing is queued and every worker answers.

    Raises:
        NotPossible: if that does not come about.
    """
    heal(stack)
    if not stack.workers:
        stack.await_redis(seconds=seconds)
        stack.app.control.purge()  # nobody else takes from the queues

    def empty() -> bool:
        with contextlib.suppress(redis.RedisError, OSError):
            return not any(queued(stack).values())
        return False

    await_truth("empty queues", empty, seconds)
    stack.await_workers(seconds)
