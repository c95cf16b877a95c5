"""One of each kind of task, one after the other."""

from __future__ import annotations

from locust import task
from locust.exception import StopUser

from loadtests.generator.user import CeleryUser


class Mixed(CeleryUser):
    """Sends each kind once."""

    @task  # type: ignore[untyped-decorator]
    def once(self) -> None:
        """Go through them, and end the run however that went."""
        try:
            self.each()
        finally:
            self.environment.runner.quit()
        raise StopUser

    def each(self) -> None:
        """A task that succeeds, one that fails, a chain, a delayed one, one whose result nobody wants, a lost one."""
        send, submit = self.client.send, self.client.submit
        assert send("probe.add", (20, 22)).value == 42
        assert send("probe.sleep", (0.2,)).error is None
        assert repr(send("probe.fail", ("with % and \u00fc",)).error) == "ProbeError"
        chain = self.client.wait(self.client.submit_chain([("probe.add", (1, 2)), ("probe.add", (3,))], name="chain"))
        assert chain.value == 6
        broken = self.client.wait(self.client.submit_chain([("probe.fail", ()), ("probe.echo", ())], name="broken"))
        assert repr(broken.error) == "ProbeError"
        assert send("probe.add", (1, 1), name="delayed", countdown=1.5).value == 2
        submit("probe.add", (1, 1), name="ignored", ignore_result=True)
        assert send("probe.add", (1, 1), name="urgent", priority=0, queue="slow", expires=60).value == 2
        late = send("probe.sleep", (1.5,), name="late", limit=0.5)
        assert repr(late.error) == "lost: no result within 0.5 s"
