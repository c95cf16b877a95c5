"""The sender keeps its schedule whatever the system does, and tells what it does not know."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from drill.history import Event, History, Kind
from drill.sender import Sender
from integration_tests.waiting import wait_until


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Return what a publish hangs on; opened at the end, so that no thread stays."""
    event = threading.Event()
    yield event
    event.set()


def told(history: History, kind: Kind) -> list[Event]:
    """Return the events of a kind."""
    return [event for event in history if event.kind is kind]


def send(sender: Sender, history: History, entries: int) -> None:
    """Send until so many are submitted."""
    sender.start()
    wait_until(f"{entries} entries are submitted", lambda: len(told(history, Kind.SUBMITTED)) >= entries, 10)


def test_each_entry_is_told_before_and_after_its_publish() -> None:
    history, published = History(), list[str]()
    sender = Sender(published.append, 200, history, prefix="p", queue="fast")
    send(sender, history, 20)
    sender.stop()
    submitted, acknowledged = told(history, Kind.SUBMITTED), told(history, Kind.ACKNOWLEDGED)
    assert [one.entry for one in submitted] == [one.entry for one in acknowledged] == published
    assert published[:2] == ["p-000000", "p-000001"]
    assert all(one.detail["queue"] == "fast" for one in submitted)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_schedule_is_even_and_nothing_goes_before_its_time(threads: int) -> None:
    history = History()
    sender = Sender(lambda _: None, 100, history, threads=threads)
    send(sender, history, 30)
    sender.stop()
    submitted = sorted(told(history, Kind.SUBMITTED), key=lambda one: one.entry)
    times = [one.detail["intended"] for one in submitted]
    assert [round(time - times[0], 6) for time in times] == [round(n / 100, 6) for n in range(len(times))]
    assert all(one.at >= one.detail["intended"] - 0.005 for one in submitted)  # two clocks, read one after the other
    assert len({one.entry for one in submitted}) == len(submitted)


def test_a_publish_that_raises_is_in_doubt_by_the_name_of_its_error_and_the_next_is_sent() -> None:
    def publish(entry: str) -> None:
        if entry.endswith("1"):
            raise ConnectionResetError

    history = History()
    sender = Sender(publish, 200, history, prefix="p")
    send(sender, history, 4)
    sender.stop()
    assert [(one.entry, one.detail["error"]) for one in told(history, Kind.DOUBTFUL)][:1] == [
        ("p-000001", "ConnectionResetError")
    ]
    assert {"p-000000", "p-000002"} <= {one.entry for one in told(history, Kind.ACKNOWLEDGED)}


def test_what_a_hanging_publish_held_up_keeps_the_time_at_which_it_was_intended(gate: threading.Event) -> None:
    held = threading.Event()

    def publish(entry: str) -> None:
        if entry == "p-000002":
            held.set()
            gate.wait(10)

    history = History()
    sender = Sender(publish, 100, history, prefix="p")
    send(sender, history, 3)
    assert held.wait(10)
    began = min(one.detail["intended"] for one in told(history, Kind.SUBMITTED))
    wait_until("the hang lasts 0.3 s", lambda: time.time() > began + 0.3, 10)
    gate.set()
    wait_until("the rest is caught up", lambda: len(told(history, Kind.ACKNOWLEDGED)) >= 30, 10)
    sender.stop()
    late = {one.entry: one.at - one.detail["intended"] for one in told(history, Kind.SUBMITTED)}
    assert late["p-000003"] > 0.2
    assert late["p-000003"] > late["p-000010"] > late["p-000020"]


def test_a_hanging_publish_does_not_hold_up_the_other_threads(gate: threading.Event) -> None:
    def publish(entry: str) -> None:
        if entry == "p-000000":
            gate.wait(10)

    history = History()
    sender = Sender(publish, 200, history, prefix="p", threads=2)
    send(sender, history, 20)
    with pytest.raises(TimeoutError, match="1 of 2 publishes have not returned"):
        sender.stop(timeout=0.1)
    answered = {one.entry for one in told(history, Kind.ACKNOWLEDGED)}
    assert "p-000000" not in answered
    assert "p-000001" in answered
    gate.set()
    sender.stop()


@pytest.mark.parametrize(("rate", "threads"), [(0, 1), (-1, 1), (1, 0), (float("nan"), 1)])
def test_a_sender_that_would_send_nothing_is_refused(rate: float, threads: int) -> None:
    with pytest.raises(ValueError, match="both must be above 0"):
        Sender(lambda _: None, rate, History(), threads=threads)
