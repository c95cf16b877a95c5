"""What a promise is, and what came of asking for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

GROUPS = {
    "settings": "risks that the inventory accepts",
    "host": "files and services, from the evidence of a play",
    "redis": "the servers",
    "security": "who may do what",
    "sentinel": "who watches the master",
    "workers": "the worker processes",
    "queues": "a canary on every queue",
    "behaviour": "retries, limits, workflows, order, expiry",
    "beat": "the periodic tasks",
    "restart": "crash and warm restart, with --allow-restart",
}


class Status(StrEnum):
    """What is known of a promise."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"  # something that it depends on failed: that row is named
    SKIPPED = "skipped"  # not asked, for a reason that is named
    ACCEPTED = "accepted"  # a risk that the inventory accepts


@dataclass(frozen=True)
class Promise:
    """A sentence that holds while the system is well; the same for every subject."""

    id: str  # "<group>.<word>"
    sentence: str
    settings: tuple[str, ...] = ()  # the variables that it rests on
    figure: str = ""  # what its figure shows

    @property
    def group(self) -> str:
        """One of `GROUPS`."""
        return self.id.split(".", maxsplit=1)[0]


@dataclass(frozen=True)
class Hint:
    """What helps the person who reads a broken promise."""

    found: str  # the value that was found, beside the one that was due
    look: str  # what to look at
    do: str  # what to type next


@dataclass(frozen=True)
class Outcome:
    """The answer to one question."""

    status: Status
    figure: str = ""
    hint: Hint | None = None
    reason: str = ""


def kept(figure: str = "") -> Outcome:
    """The promise holds."""
    return Outcome(Status.PASSED, figure)


def broken(figure: str, hint: Hint) -> Outcome:
    """The promise does not hold."""
    return Outcome(Status.FAILED, figure, hint)


def unchecked(reason: str) -> Outcome:
    """The promise was not asked for."""
    return Outcome(Status.SKIPPED, reason=reason)


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    promise: Promise
    subject: str
    outcome: Outcome
    duration: float = 0.0  # seconds
    blocked_by: str = ""  # title of the row that failed first

    @property
    def status(self) -> Status:
        """What is known."""
        return self.outcome.status

    @property
    def title(self) -> str:
        """How other rows name this one."""
        return f"{self.promise.id} {self.subject}"

    @property
    def note(self) -> str:
        """What stands beside the sentence: the figure, the reason or the row that blocks."""
        if self.status is Status.BLOCKED:
            return f"blocked by {self.blocked_by}"
        return self.outcome.figure or self.outcome.reason
