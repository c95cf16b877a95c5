"""More tasks at once than there are ids with a subscription."""

from __future__ import annotations

from locust import task
from locust.exception import StopUser

from loadtests.generator.results import STOCK
from loadtests.generator.user import CeleryUser


class Burst(CeleryUser):
    """Submits all, then waits for all."""

    @task  # type: ignore[untyped-decorator]
    def all_at_once(self) -> None:
        """Submit twice the stock."""
        for call in [self.client.submit("probe.noop", limit=60.0) for _ in range(2 * STOCK)]:
            self.client.wait(call)
        self.environment.runner.quit()
        raise StopUser
