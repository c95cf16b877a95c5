"""Load tests: which tasks arrive when, and what the deployment has to hold meanwhile."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from settings.describe import Apply, Item, Section, setting
from settings.types import (
    ArgumentName,
    Bytes,
    Flag,
    Json,
    Name,
    Number,
    PathOrEmpty,
    Positive,
    Priority,
    QueueName,
    Seconds,
    TaskName,
    Text,
    Whole,
    Word,
)

# Seconds, but for what says otherwise. Higher is worse, but for throughput.
Measure = Annotated[
    Literal[
        "end_to_end_p50",
        "end_to_end_p95",
        "end_to_end_p99",
        "queue_wait_p50",
        "queue_wait_p95",
        "queue_wait_p99",
        "error_rate",
        "lost",
        "throughput",
        "drained_within",
        "redis_memory",
        "redis_memory_share",
        "worker_memory",
    ],
    Word,
]


class LoadPhase(Item):
    """A stretch of time in which the rate changes evenly."""

    seconds: Seconds = setting(..., "How long it lasts.", unit="seconds", apply=Apply.LIVE, gt=0)
    rate: Number = setting(..., "Rate at its begin.", unit="tasks per second", apply=Apply.LIVE, ge=0)
    to: Number | None = setting(
        None, "Rate at its end; empty is the same.", unit="tasks per second", apply=Apply.LIVE, ge=0
    )


class LoadStep(Item):
    """A further task of a chain; it gets the result of the one before as its first argument."""

    task: TaskName = setting(..., "Name of the task.", apply=Apply.LIVE)
    args: list[Json] = setting(list, "Positional arguments, after that result.", apply=Apply.LIVE)


class LoadTask(Item):
    """A kind of task in the mix of a profile."""

    name: Name = setting(..., "Name in reports and objectives.", apply=Apply.LIVE)
    task: TaskName = setting(..., "Name of the task.", apply=Apply.LIVE)
    share: Number = setting(1, "Its weight among the tasks of the profile.", apply=Apply.LIVE, gt=0)
    args: list[Json] = setting(list, "Positional arguments.", apply=Apply.LIVE)
    kwargs: dict[ArgumentName, Json] = setting(dict, "Keyword arguments.", apply=Apply.LIVE)
    payload: Bytes = setting(
        0, "A text of this size goes before the positional arguments; 0 is none.", unit="bytes", apply=Apply.LIVE
    )
    queue: QueueName | None = setting(None, "Queue; empty lets the routes decide.", apply=Apply.LIVE)
    priority: Priority | None = setting(None, "Priority; empty lets the routes decide.", apply=Apply.LIVE)
    countdown: Seconds = setting(0, "Its ETA lies so far ahead.", unit="seconds", apply=Apply.LIVE)
    time_limit: Seconds | None = setting(
        None, "Its hard limit; empty is the deployment's.", unit="seconds", apply=Apply.LIVE, gt=0
    )
    soft_time_limit: Seconds | None = setting(
        None, "Its soft limit; empty is the deployment's.", unit="seconds", apply=Apply.LIVE, gt=0
    )
    expires: Seconds | None = setting(None, "Drop it where it waited longer.", unit="seconds", apply=Apply.LIVE, gt=0)
    chain: list[LoadStep] = setting(list, "Tasks that follow it; its end is that of the last.", apply=Apply.LIVE)
    fails: Flag = setting(False, "It is meant to fail: a failure is its good end.", apply=Apply.LIVE)
    limit: Seconds = setting(
        30,
        "It counts as lost where its result has not come so long after it was due.",
        unit="seconds",
        apply=Apply.LIVE,
        gt=0,
    )


class LoadProfile(Item):
    """A workload: a mix of tasks, and when they arrive."""

    name: Name = setting(..., "Name, as `make load PROFILE=…` takes it.", apply=Apply.LIVE)
    about: Text = setting("", "What it stands for, for people.", apply=Apply.LIVE)
    tasks: list[LoadTask] = setting(..., "The mix.", apply=Apply.LIVE, min_length=1)
    phases: list[LoadPhase] = setting(
        list,
        "When tasks arrive, one stretch after the other: one is a constant rate or a ramp, several are steps, a spike "
        "or a soak.",
        apply=Apply.LIVE,
    )
    trace: PathOrEmpty = setting(
        "", "Instead: a file with the time of an arrival per line, in seconds, ascending.", apply=Apply.LIVE
    )
    speed: Number = setting(1, "Replay the trace this many times as fast.", apply=Apply.LIVE, gt=0)
    warm_up: Seconds = setting(0, "Of the beginning, so much is not measured.", unit="seconds", apply=Apply.LIVE)
    random: Flag = setting(
        False, "Arrivals at random, as those of many independent users (Poisson); else evenly.", apply=Apply.LIVE
    )
    seed: Whole = setting(1, "Of what is drawn: arrivals and the order of the mix.", apply=Apply.LIVE)
    faults: list[Name] = setting(
        list, "Faults of drill/ that happen meanwhile, evenly spread, drawn by the seed.", apply=Apply.LIVE
    )


class LoadSlo(Item):
    """An objective: what a measure may be at most, or has to be at least."""

    measure: Measure = setting(..., "What is measured.", apply=Apply.LIVE)
    at_most: Number | None = setting(None, "The most that it may be.", apply=Apply.LIVE, ge=0)
    at_least: Number | None = setting(None, "The least that it has to be.", apply=Apply.LIVE, ge=0)
    profile: Name | None = setting(None, "Holds in this profile; empty is every one.", apply=Apply.LIVE)
    task: Name | None = setting(
        None, "Holds for tasks of this name in the mix; empty is all together.", apply=Apply.LIVE
    )


class Load(Section):
    """What `make load` sends and demands. Profiles that ship with the project are known without being said."""

    prefix: ClassVar[str] = "load_"

    profiles: list[LoadProfile] = setting(
        list,
        "Workloads of your own, in addition to those that ship (settings/shipped/load.yml); one of the same name "
        "replaces it.",
        apply=Apply.LIVE,
    )
    slos: list[LoadSlo] = setting(
        list, "Objectives of your own, in addition to those that ship with a profile.", apply=Apply.LIVE
    )
    allowed: Flag = setting(
        False,
        "Whether `make load` may put load on these hosts: staging, never production.",
        apply=Apply.LIVE,
    )
    generators: Positive = setting(
        1,
        "Processes that send, on this machine, or on each host of the inventory group `locust` where it has any.",
        apply=Apply.LIVE,
        le=256,
    )
