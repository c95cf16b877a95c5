"""What one writes first: `delay()`, then `AsyncResult.get()`, and Locust's own event around it."""

from __future__ import annotations

from locust import User, task

import benchmarks.locustfiles.window  # noqa: F401 - measures
from tasks.app import app
from tasks.probe.delivery import noop

app.loader.import_default_modules()


class Obvious(User):  # type: ignore[misc]
    """Sends and waits."""

    @task  # type: ignore[untyped-decorator]
    def noop(self) -> None:
        """One per round, as every example of Locust does."""
        with self.environment.events.request.measure("task", "probe.noop"):
            noop.delay().get(timeout=30)
