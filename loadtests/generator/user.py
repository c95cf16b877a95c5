"""The Celery user for Locust.

    class Shop(CeleryUser):
        @task
        def order(self):
            self.client.send("probe.add", (1, 2), queue="fast", expires=60)

A closed model: as many tasks under way as there are users. `loadtests.generator.open_model` keeps arrival rates instead.
"""

from __future__ import annotations

import sys
from typing import Any

import redis
from locust import User, events
from locust.env import Environment
from locust.runners import MasterRunner

from loadtests.generator.client import Client, client_of
from loadtests.generator.target import NoTarget, Target


class CeleryUser(User):  # type: ignore[misc]
    """A user whose client sends tasks to the target that LOAD_TARGET names."""

    abstract = True
    target: Target | None = None  # says it in code, where no file does
    client: Client

    def __init__(self, environment: Environment) -> None:
        """Share the client of the process.

        Raises:
            NoTarget: if there is none.
            redis.RedisError: if it cannot be reached.
        """
        super().__init__(environment)
        self.client = client_of(environment, self.target or Target.named())


@events.init.add_listener  # type: ignore[untyped-decorator]
def _reach(environment: Environment, **_: Any) -> None:
    """Connect before anything is spawned: what cannot be reached is told once, in one sentence."""
    if isinstance(environment.runner, MasterRunner):
        return
    for user in environment.user_classes:
        if issubclass(user, CeleryUser):
            try:
                client_of(environment, user.target or Target.named())
            except NoTarget as error:
                sys.exit(str(error))
            except redis.RedisError as error:
                # a Sentinel's error goes on with the inside of its connections
                said = str(error).split(" : ", 1)[0]
                sys.exit(f"The target cannot be put under load: {said} ({type(error).__name__}).")
