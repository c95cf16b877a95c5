"""Beat: each periodic task once per interval, also after something broke; and never two beats."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import yaml

from bench.run import Run
from bench.stack import Stack
from bench.stage import INVENTORY, Mutation, NotStaged, Variant, stage
from drill.history import History, Kind
from integration_tests.promise import Proof, promise, variant
from integration_tests.waiting import pass_time, wait_until

TICK = {"name": "tick", "task": "probe.record", "kwargs": {"entry": "tick"}, "every": 1, "expires": 1}
SCHEDULE: dict[str, Any] = {"celery_transport": "redis", "celery_beat_schedule": [TICK]}
ON_BEAT = {"groups": ["beat"]}
RISKS = yaml.safe_load((INVENTORY / "group_vars" / "all" / "stack.yml").read_text(encoding="utf-8"))["accepted_risks"]

pytestmark = variant(hosts={"worker-1": ON_BEAT}, **SCHEDULE)

WATCHED = 4  # intervals of 1 s
TOGETHER = 0.5  # seconds: two that are closer belong to one interval
AWAY = 3.0  # seconds
NO_EXPIRY = Mutation("runs never expire", "*/etc/celery/celeryconfig.py", r"'expires': [0-9.]+", "")


def ticks(stack: Stack, since: float = 0.0, until: float = float("inf")) -> list[float]:
    """Return when the periodic task started, in seconds since the epoch."""
    found = History()
    found.read(*stack.histories())
    return sorted(event.at for event in found if event.kind is Kind.STARTED and since < event.at <= until)


def next_tick(stack: Stack, since: float | None = None, seconds: float = 20) -> float:
    """Return when the periodic task started next."""
    since = time.time() if since is None else since
    return wait_until("a tick", lambda: ticks(stack, since), seconds)[0]


def watch(stack: Stack, intervals: int = WATCHED) -> list[float]:
    """Return the ticks of so many intervals, the first and the last tick included."""
    end = next_tick(stack) + intervals + TOGETHER
    first = ticks(stack)[-1]
    wait_until("the intervals", lambda: time.time() > end, intervals + 5)
    return ticks(stack, first - TOGETHER, end)


def together(seen: list[float]) -> int:
    """Return how many came in the interval of the one before."""
    return sum(later - at < TOGETHER for at, later in pairwise(seen))


@promise(
    "beat-once",
    "Beat sends each periodic task once per interval: none is left out, none comes twice.",
    fault="none",
    settings=("celery_beat_schedule",),
    unit="tasks too many or too few",
    exactly=0,
)
def test_once_per_interval(stack: Stack, proof: Proof) -> None:
    seen = watch(stack)
    proof(abs(len(seen) - WATCHED - 1) + together(seen), f"{len(seen)} within {WATCHED} intervals")


@variant(
    hosts={"worker-1": ON_BEAT, "beat-2": ON_BEAT},
    accepted_risks=[*RISKS, {"id": "one-beat", "reason": "to see what it does"}],
)
@promise(
    "two-beats-double",
    "Two beats, if somebody accepts that risk, send everything twice: a known harm.",
    fault="a second host in the group beat",
    settings=("accepted_risks",),
    unit="tasks per interval",
    at_least=1.5,
    at_most=2.5,  # two of each, and one more where both edges of the time that is watched are met
)
def test_two_beats_double(stack: Stack, proof: Proof) -> None:
    first = next_tick(stack)
    wait_until("the intervals", lambda: time.time() > first + WATCHED, WATCHED + 5)
    # From the first tick, that itself left out, to the end: the beats may tick at the same moment or in turn.
    proof(len(ticks(stack, first, first + WATCHED)) / WATCHED, f"within {WATCHED} intervals")


@promise(
    "two-beats-refused",
    "An inventory with two beats for one application is not deployed.",
    fault="a second host in the group beat",
    settings=("celery_beat_schedule",),
    unit="files rendered",
    exactly=0,
)
def test_two_beats_are_refused(run: Run, images: dict[str, str], proof: Proof) -> None:
    wanted = Variant(SCHEDULE, {"worker-1": ON_BEAT, "beat-2": ON_BEAT})
    said = ""
    try:
        stage(run, wanted, images)
    except NotStaged as refusal:
        said = str(refusal)
    assert not said or "[one-beat]" in said, said
    proof(sum(path.is_file() for path in (run.folder / wanted.key / "build").rglob("*")), "rule one-beat")


@promise(
    "beat-steady",
    "The interval of a periodic task holds: it is counted from one sending to the next, and drifts by milliseconds.",
    fault="none",
    settings=("celery_beat_max_loop_interval",),
    unit="ms per interval",
    at_least=-50,
    at_most=50,
)
def test_beat_does_not_drift(stack: Stack, proof: Proof) -> None:
    seen = watch(stack)
    drift = (seen[-1] - seen[0]) / (len(seen) - 1) - 1
    proof(drift * 1000, f"over {len(seen) - 1} intervals of 1 s")


@promise(
    "beat-missed-expire",
    "Periodic tasks that fell due while no worker was there do not pile up: what is older than `expires` is not run.",
    fault="workers frozen",
    settings=("celery_beat_schedule",),
    unit="tasks at once when they go on",
    at_most=2,
    mutations=(NO_EXPIRY,),
)
def test_missed_runs_expire(stack: Stack, proof: Proof) -> None:
    next_tick(stack)
    stack.worker.pause()
    pass_time(AWAY + 1)
    back = time.time()
    stack.worker.resume()
    next_tick(stack, back)
    wait_until("the next interval", lambda: time.time() > back + TOGETHER, 5)
    proof(len(ticks(stack, back, back + TOGETHER)), f"after {AWAY + 1:g} intervals")


@promise(
    "beat-made-up-once",
    "After a restart beat makes up for what it missed once, not once per interval.",
    fault="beat away for 3 intervals",
    settings=("celery_beat_schedule",),
    unit="tasks at once when it is back",
    at_least=1,
    at_most=2,
)
def test_beat_makes_up_once(stack: Stack, proof: Proof) -> None:
    beat = stack.nodes["celery-beat@worker-1"]
    next_tick(stack)
    beat.kill()
    gone = time.time()
    pass_time(AWAY)
    assert len(ticks(stack, gone + TOGETHER)) == 0, "something else ticks"
    beat.start()
    first = next_tick(stack, gone + TOGETHER)
    wait_until("half an interval", lambda: time.time() > first + TOGETHER, 5)
    proof(len(ticks(stack, first - 0.001, first + TOGETHER)), f"after {AWAY:g} s")


@promise(
    "beat-after-redis",
    "After Redis was away, beat goes on by itself.",
    fault="kill -9 of Redis, 2 s of silence",
    settings=("celery_socket_timeout", "celery_health_check_interval"),
    unit="s until the next periodic task",
    at_most=15,
)
def test_beat_outlives_redis(stack: Stack, proof: Proof) -> None:
    next_tick(stack)
    stack.redis.kill()
    pass_time(2)
    stack.redis.start()
    stack.await_redis()
    back = time.time()
    proof(next_tick(stack, back, 20) - back)
