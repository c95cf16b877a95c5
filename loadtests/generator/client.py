"""A process's client of the target: publishes, awaits, and tells Locust's statistics."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import gevent
from gevent.event import AsyncResult
from locust.env import Environment

from loadtests.figures import LOST, PUBLISH
from loadtests.generator.call import EPOCH, RESULT, Call, Failed, clock
from loadtests.generator.deadlines import Deadlines
from loadtests.generator.link import Link, client
from loadtests.generator.publisher import Publisher
from loadtests.generator.results import Results
from loadtests.generator.rows import Rows
from loadtests.generator.target import Target
from loadtests.generator.template import Template
from loadtests.generator.wire import Step, Wire
from verify.redirect import redirect

LIMIT = 30.0  # seconds in which a result has to come, unless a call says otherwise
SWEEP = 0.1  # seconds between two looks at deadlines and silent connections


class Client:
    """Sends tasks to a target. One per process: all its users share two connections."""

    def __init__(self, target: Target, environment: Environment) -> None:
        """Begin to listen for results.

        Raises:
            redis.RedisError: if broker or results cannot be reached, or refuse the login.
        """
        if target.ways:
            redirect({(host, port): here for host, port, here in target.ways})
        broker, results = client(target, target.broker), client(target, target.results)
        broker.ping()
        results.ping()

        def ask(keys: list[bytes]) -> list[bytes | None]:
            return cast("list[bytes | None]", results.mget(keys))

        self._wire = Wire(target)
        self._rows = Rows(environment)
        self._deadlines = Deadlines()
        self._publisher = Publisher(lambda: Link(broker), target.socket_timeout, self._published)
        self._results = Results(lambda: Link(results), ask, (target.key_prefix + RESULT).encode(), self._ended)
        loops = (self._publisher.run, self._results.run, self._results.write, self._sweep)
        self._greenlets = [gevent.spawn(loop) for loop in loops]
        self._results.stocked.wait(target.socket_timeout)

    @property
    def outstanding(self) -> int:
        """How many tasks have not ended."""
        return len(self._results.outstanding)

    def send(
        self, task: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Call:
        """Send a task and wait for its end; see `submit`. A failure is in the call and in the statistics, not raised."""
        return self.wait(self.submit(task, args, kwargs, **options))

    def submit(
        self,
        task: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        limit: float = LIMIT,
        due: float = 0.0,
        fails: bool = False,
        **options: Any,
    ) -> Call:
        """Send a task, and do not wait.

        Args:
            task: its name.
            args: its arguments.
            kwargs: the same, by keyword.
            name: of its rows in the statistics; else the task's.
            limit: seconds after which it counts as lost.
            due: when it should have been sent, by `clock`; now, unless a schedule says otherwise.
            fails: a failure is its good end.
            options: of apply_async; see `Wire.template`.
        """
        template = self._wire.template(((task, args),), kwargs, **options)
        return self._submit(template, name or task, args, kwargs, limit, due, options.get("eta"), fails)

    def submit_chain(
        self,
        links: Sequence[Step],
        kwargs: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        limit: float = LIMIT,
        due: float = 0.0,
        fails: bool = False,
        **options: Any,
    ) -> Call:
        """Send a chain, and do not wait; its end is the last task's. Keyword arguments and options are the first one's."""
        template = self._wire.template(links, kwargs, **options)
        name = name or " | ".join(task for task, _ in links)
        return self._submit(template, name, links[0][1], kwargs, limit, due, options.get("eta"), fails)

    def _submit(
        self,
        template: Template,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None,
        limit: float,
        due: float,
        eta: datetime | None,
        fails: bool,
    ) -> Call:
        results = self._results
        last, channel = results.take() if template.kept else (results.new_id(), b"")
        ids = [last] if template.links == 1 else [*(results.new_id() for _ in range(template.links - 1)), last]
        message = template.render(ids, results.new_id(), args, kwargs, eta)
        due = (eta.timestamp() - EPOCH) if eta else (due or clock()) + (template.countdown or 0.0)
        call = Call(name, channel, template.key, message, due, limit)
        call.parts, call.kept, call.fails = template.links == 1, template.kept, fails
        if call.kept:
            results.outstanding[channel] = call
            self._deadlines.add(call)
        self._publisher.add(call)
        return call

    def wait(self, call: Call) -> Call:
        """Wait until a task has ended, or counts as lost."""
        if not call.ended:
            call.waiter = AsyncResult()
            call.waiter.get()
        return call

    def drain(self, seconds: float) -> int:
        """Wait until every task has ended, at most so long; return how many have not.

        What is lost at the very end of that time is still waited for: the next sweep counts it.
        """
        end = clock() + seconds + 2 * SWEEP
        while self.outstanding and clock() < end:
            gevent.sleep(SWEEP)
        return self.outstanding

    def close(self) -> None:
        """Stop."""
        gevent.killall(self._greenlets)

    def _published(self, call: Call, error: Failed | None, now: float) -> None:
        if call.ended:  # a result may be faster than the acknowledgement, or the deadline was
            if error is None:
                self._rows.part(PUBLISH, call, now - call.added)
            return
        call.error = error
        self._rows.published(call, error, now)
        if error is not None or not call.kept:
            self._results.forget(call)
            self._finish(call, now)

    def _ended(self, call: Call, meta: dict[str, Any], now: float, size: int) -> None:
        call.value = meta["result"]
        call.error = _error(call, meta)
        self._rows.ended(call, meta, now, size)
        self._finish(call, now)

    def _sweep(self) -> None:
        while True:
            gevent.sleep(SWEEP)
            now = clock()
            self._publisher.watch(now)
            self._results.watch(now)
            self._rows.enter()
            for call in self._deadlines.overdue(now):
                self._results.forget(call)
                call.error = Failed(f"{LOST}: no result within {call.limit:g} s")
                self._rows.lost(call, now)
                self._finish(call, now)

    @staticmethod
    def _finish(call: Call, now: float) -> None:
        call.ended = now
        call.message = b""
        if call.waiter is not None:
            call.waiter.set(None)


def _error(call: Call, meta: Mapping[str, Any]) -> Failed | None:
    """Return why a task's end is no good one."""
    if meta["status"] != "SUCCESS":
        return None if call.fails else Failed(_reason(meta))
    return Failed("it succeeded, and was meant to fail") if call.fails else None


def _reason(meta: Mapping[str, Any]) -> str:
    """Return the type of a task's failure."""
    result = meta["result"]
    kind = result.get("exc_type", "") if isinstance(result, dict) else ""
    return str(kind or meta["status"])


_clients: weakref.WeakKeyDictionary[Environment, Client] = weakref.WeakKeyDictionary()


def client_of(environment: Environment, target: Target) -> Client:
    """Return the client of this process, made at the first call.

    Raises:
        redis.RedisError: if the target cannot be reached.
    """
    if environment not in _clients:
        _clients[environment] = Client(target, environment)
    return _clients[environment]
