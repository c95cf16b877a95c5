"""Beat: what is due runs once, at its time, also after Redis was away; and there is one beat."""

from __future__ import annotations

from itertools import pairwise

from bench.run import Run
from bench.stack import Stack
from bench.stage import NotStaged, Variant, stage
from drill.history import History, Kind
from integration_tests.promise import Proof, promise, variant
from integration_tests.waiting import pass_time, wait_until

EVERY = 1.0  # seconds
TICK = {"name": "tick", "task": "probe.record", "every": EVERY, "kwargs": {"entry": "tick"}, "expires": 3}
pytestmark = variant(
    hosts={"worker-1": {"groups": ["beat"]}}, celery_beat_schedule=[TICK], celery_beat_max_loop_interval=1
)


def ticks(stack: Stack) -> list[float]:
    """Return when the periodic task was started, in seconds since the epoch."""
    history = History()
    history.read(*stack.histories())
    return [event.at for event in history if event.kind is Kind.STARTED and event.entry == "tick"]


def some(stack: Stack, count: int, seconds: float = 30) -> list[float]:
    """Wait for so many more runs, and return those."""
    before = len(ticks(stack))
    wait_until(f"{count} runs of the periodic task", lambda: len(ticks(stack)) >= before + count, seconds)
    return ticks(stack)[before:]


@promise(
    "beat-on-time",
    "A periodic task runs once per interval, and its times do not drift.",
    fault="none, over eight intervals",
    settings=("celery_beat_schedule", "celery_beat_max_loop_interval"),
    unit="s from the interval, at worst",
    at_most=0.3,
)
def test_a_periodic_task_runs_once_per_interval(stack: Stack, proof: Proof) -> None:
    some(stack, 1)
    times = some(stack, 8)
    drift = abs((times[-1] - times[0]) - EVERY * (len(times) - 1))
    proof(max(*(abs(later - earlier - EVERY) for earlier, later in pairwise(times)), drift), f"drift {drift:.3f} s")


@promise(
    "beat-goes-on",
    "After Redis was away, beat goes on by itself.",
    fault="kill -9 of Redis, back after two seconds",
    settings=("celery_beat_max_loop_interval",),
    unit="s until the next run",
    at_most=15,
)
def test_beat_goes_on_after_redis_was_away(stack: Stack, proof: Proof) -> None:
    some(stack, 1)
    stack.redis.kill()
    pass_time(2)
    stack.redis.start()
    stack.await_redis()
    back = wait_until("the time", lambda: stack.info("server"), 5)["server_time_usec"] / 1e6
    first, *_ = some(stack, 3)
    proof(max(0.0, first - back))


@promise(
    "beat-no-pile",
    "Runs that nobody took in time are dropped: a worker that was away faces no pile.",
    fault="the worker stopped over six intervals, with expires of three",
    settings=("celery_beat_schedule",),
    unit="runs at once when it is back",
    at_most=5,
)
def test_a_worker_that_is_back_faces_no_pile(stack: Stack, proof: Proof) -> None:
    some(stack, 1)
    stack.worker.stop()
    pass_time(6 * EVERY)
    stack.worker.start()
    stack.await_workers()
    first, *others = some(stack, 1)
    proof(1 + sum(at - first < EVERY / 2 for at in others))


@promise(
    "one-beat",
    "Two beats, which would run everything twice, are refused before anything is written.",
    fault="two hosts in the inventory group beat",
    settings=("celery_beat_schedule",),
    unit="inventories let through",
    exactly=0,
)
def test_two_beats_are_refused(run: Run, images: dict[str, str], proof: Proof) -> None:
    hosts = {"worker-1": {"groups": ["beat"]}, "worker-2": {"groups": ["celery", "beat"]}}
    said = ""
    try:
        stage(run, Variant({"celery_beat_schedule": [TICK]}, hosts), images)
    except NotStaged as refused:
        said = str(refused)
    proof("one-beat" not in said, "refused by the rule one-beat")
