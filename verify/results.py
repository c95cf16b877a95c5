"""Sending probe tasks and collecting their answers: one thread polls for all that wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import redis
from celery import Celery
from kombu.exceptions import KombuError

from verify.answer import Answer
from verify.threads import Budget

READY = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
POLL = 0.003  # seconds between two looks: the resolution of every latency
EXPIRES = 120  # seconds after which a canary that nobody took is dropped, not run


class Answers:
    """The tasks that verify sent to one application."""

    def __init__(self, client: Celery, store: redis.Redis, budget: Budget) -> None:
        """Start to collect.

        Args:
            client: publishes and knows how results are written.
            store: the results' Redis.
            budget: bounds every wait.
        """
        self.client = client
        self.store = store
        self.budget = budget
        self.error = ""  # why results cannot be read, from then on
        self._waiting: dict[str, Answer] = {}
        self._used: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._collect, daemon=True).start()

    def send(self, task: str, queue: str, kwargs: dict[str, Any] | None = None, **options: Any) -> Answer:
        """Publish a task to a queue, past the routes.

        Raises:
            kombu.exceptions.OperationalError: if the broker cannot be written to.
        """
        answer = self.watch(str(uuid4()))
        options = {"expires": EXPIRES, **options}
        self.client.send_task(task, kwargs=kwargs or {}, queue=queue, task_id=answer.id, ignore_result=False, **options)
        return answer

    def watch(self, task_id: str) -> Answer:
        """Collect the answer of a task that is published elsewhere."""
        answer = Answer(task_id, sent=time.monotonic())
        with self._lock:
            self._waiting[task_id] = answer
            self._used.add(task_id)
        return answer

    def wait(self, answers: Iterable[Answer], seconds: float) -> bool:
        """Wait for answers; return whether all came in time."""
        end = time.monotonic() + self.budget.allow(seconds)
        came = [answer.done.wait(max(0.0, end - time.monotonic())) for answer in answers]
        return all(came)

    def ask(
        self, task: str, queue: str, kwargs: dict[str, Any] | None = None, *, seconds: float, **options: Any
    ) -> Answer:
        """Publish a task and wait for its answer; its state is PENDING or STARTED where none came."""
        answer = self.send(task, queue, kwargs, **options)
        self.wait([answer], seconds)
        return answer

    def ours(self, task_id: str) -> bool:
        """Whether a task was sent by this run."""
        return task_id in self._used

    def key(self, task_id: str) -> str:
        """Return the key that holds a result."""
        name = self.client.backend.get_key_for_task(task_id)
        return name.decode() if isinstance(name, bytes) else str(name)

    def read(self, task_id: str) -> dict[str, Any] | None:
        """Return a stored result, decoded; None where there is none."""
        payload = self.store.get(self.key(task_id))
        return self.client.backend.decode(payload) if payload else None

    def close(self) -> None:
        """Stop, and delete the results of this run: they are of use to nobody."""
        self._closed.set()
        keys = [self.key(task_id) for task_id in self._used]
        if keys and not self.error:
            try:
                self.store.delete(*keys)
            except redis.RedisError as error:
                self.error = str(error)

    def _collect(self) -> None:
        while not self._closed.wait(POLL):
            with self._lock:
                waiting = list(self._waiting.values())
            if not waiting or self.error:
                continue
            try:
                payloads: Any = self.store.mget([self.key(answer.id) for answer in waiting])
                self._take(waiting, payloads)
            except (redis.RedisError, KombuError) as error:
                self.error = f"{type(error).__name__}: {error}"
                for answer in waiting:
                    answer.done.set()

    def _take(self, waiting: list[Answer], payloads: list[bytes | None]) -> None:
        now = time.monotonic()
        for answer, payload in zip(waiting, payloads, strict=True):
            if payload is None:
                continue
            meta = self.client.backend.decode(payload)
            answer.state, answer.value = meta["status"], meta.get("result")
            answer.worker = meta.get("worker") or answer.worker
            if answer.started is None:
                answer.started = now
            if answer.state in READY:
                answer.ended = now
                with self._lock:
                    self._waiting.pop(answer.id, None)
                answer.done.set()
