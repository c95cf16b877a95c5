"""A user of loadtests/ that does nothing but send and wait."""

from __future__ import annotations

from locust import task

import benchmarks.locustfiles.window  # noqa: F401 - measures
from loadtests.generator.user import CeleryUser


class Ours(CeleryUser):
    """Sends and waits."""

    @task  # type: ignore[untyped-decorator]
    def noop(self) -> None:
        """Several in a row: Locust's own round costs as much as a task."""
        for _ in range(100):
            self.client.send("probe.noop")
