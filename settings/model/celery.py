"""Celery: the application, its configuration, queues, routes, workers, beat and Flower."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from settings.describe import Apply, Item, Section, setting
from settings.types import (
    ArgumentName,
    BindAddress,
    Bytes,
    Command,
    ConfigKey,
    EnvironmentName,
    Flag,
    Identifier,
    Integer,
    Json,
    KeyPrefix,
    Name,
    Network,
    PathOrEmpty,
    Port,
    Positive,
    Priority,
    QueueName,
    RateLimit,
    ReleaseId,
    Seconds,
    Secret,
    TaskName,
    TaskPattern,
    Text,
    UnitLine,
    UserName,
    Whole,
    Word,
)

CONFIG = "https://docs.celeryq.dev/en/stable/userguide/configuration.html"
WORKERS = "https://docs.celeryq.dev/en/stable/userguide/workers.html"
REDIS = "https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html"
OPTIMIZING = "https://docs.celeryq.dev/en/stable/userguide/optimizing.html"

Pool = Annotated[Literal["prefork", "threads", "gevent", "eventlet", "solo"], Word]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Word]


class Queue(Item):
    """A queue that producers may write to and workers consume."""

    name: QueueName = setting(..., "Name of the queue.")


class Route(Item):
    """Which tasks go to which queue; the first match wins."""

    match: TaskPattern = setting(
        ...,
        "Name or wildcard pattern of tasks. It is matched with the task's name, never with its module's path.",
        source="both seed projects lost a day to this",
    )
    queue: QueueName = setting(..., "Queue that matching tasks are sent to.")
    priority: Priority | None = setting(
        None, "Priority of matching tasks; 0 is first on the redis transport, the highest on redis-plus."
    )


class Worker(Item):
    """A group of equal worker processes."""

    name: Name = setting(..., "Name of the group; a process is `celery-worker@<name>-<n>`.")
    queues: list[QueueName] = setting(..., "Queues that it consumes, in this order.", min_length=1)
    pool: Pool = setting("prefork", "How tasks run. Only prefork enforces both time limits.", source=WORKERS)
    concurrency: Positive = setting(2, "Tasks at once per process; ignored with autoscale.", le=10_000)
    autoscale: list[Positive] | None = setting(
        None, "[max, min] pool size instead of a fixed concurrency.", source=WORKERS, min_length=2, max_length=2
    )
    processes: Positive = setting(1, "Worker processes of this group on each host.", le=256)
    prefetch_multiplier: Whole | None = setting(
        None,
        "Messages reserved per slot; empty takes `celery_worker_prefetch_multiplier`.",
        source=OPTIMIZING,
        le=10_000,
    )
    max_tasks_per_child: Positive | None = setting(None, "Replace a pool child after this many tasks.", unit="tasks")
    max_memory_per_child: Bytes | None = setting(
        None,
        "Replace a pool child that holds more resident memory after its task. Here in bytes or with a unit; "
        "Celery counts in KiB.",
        unit="bytes",
        source=WORKERS,
        ge=16 * 1024**2,
    )
    time_limit: Seconds | None = setting(
        None, "Hard limit of this group; empty takes `celery_task_time_limit`, 0 is none.", unit="seconds"
    )
    soft_time_limit: Seconds | None = setting(
        None, "Soft limit of this group; empty takes `celery_task_soft_time_limit`, 0 is none.", unit="seconds"
    )
    loglevel: LogLevel | None = setting(None, "Log level of this group; empty takes `celery_loglevel`.")
    memory_max: Bytes = setting(0, "systemd MemoryMax of one process and its children; 0 is none.", unit="bytes")
    cpu_quota: Whole = setting(
        0, "systemd CPUQuota of one process and its children; 0 is none.", unit="percent", le=100_000
    )
    nice: Integer = setting(0, "Scheduling priority.", ge=-20, le=19)
    limit_nofile: Positive = setting(65_536, "Open files of one process.", le=1_048_576)


class BeatEntry(Item):
    """A periodic task."""

    name: Name = setting(..., "Name of the entry.")
    task: TaskName = setting(..., "Name of the task.")
    every: Seconds | None = setting(None, "Interval; give this or `cron`.", unit="seconds", gt=0)
    cron: Text | None = setting(None, 'Crontab "minute hour day month weekday"; give this or `every`.')
    queue: QueueName | None = setting(None, "Queue; empty lets the routes decide.")
    args: list[Json] = setting(list, "Positional arguments.")
    kwargs: dict[ArgumentName, Json] = setting(dict, "Keyword arguments.")
    expires: Seconds | None = setting(
        None, "Drop a run that waited longer: a stopped worker must not face a pile.", unit="seconds", gt=0
    )


class CeleryConfig(Item):
    """What is written to celeryconfig.py under Celery's own names."""

    task_acks_late: Flag = setting(
        True,
        "Acknowledge after the task: a killed worker's tasks are delivered again, so tasks must be idempotent.",
        source=CONFIG,
    )
    task_reject_on_worker_lost: Flag = setting(
        True,
        "Deliver a task again when its pool child dies; without it the task is lost.",
        source="celery #1628; measured",
    )
    task_retry_on_worker_lost: Flag = setting(
        True,
        "Count such a delivery as a retry, up to the task's max_retries: a task that always kills its child must "
        "not loop for ever.",
        source="celery #9082",
    )
    task_acks_on_failure: Flag = setting(
        True,
        "Acknowledge a task that raised. False redelivers it only where a dead letter takes it; on Redis it is "
        "discarded.",
        source=CONFIG,
    )
    task_acks_on_timeout: Flag = setting(
        True,
        "Acknowledge a task that hit its hard limit; false runs it again, for ever if it always hits it.",
        source="celery #9596",
    )
    task_time_limit: Seconds | None = setting(
        300, "Hard limit: the pool child is killed and replaced.", unit="seconds", source=CONFIG, gt=0
    )
    task_soft_time_limit: Seconds | None = setting(
        240, "Soft limit: SoftTimeLimitExceeded is raised inside the task.", unit="seconds", source=CONFIG, gt=0
    )
    task_track_started: Flag = setting(
        True, "Report STARTED: tells waiting from running, costs a write per task.", source=CONFIG
    )
    task_ignore_result: Flag = setting(False, "Keep no results unless a task asks.", source=CONFIG)
    task_store_errors_even_if_ignored: Flag = setting(
        True, "Keep failures even of tasks that ignore results.", source=CONFIG
    )
    task_default_queue: QueueName = setting("celery", "Queue of tasks that no route matches.", source=CONFIG)
    task_create_missing_queues: Flag = setting(
        False, "Create queues on the fly: a misspelt name becomes a queue that nobody consumes.", source=CONFIG
    )
    task_default_priority: Priority | None = setting(
        None,
        "Priority of tasks that name none; 0 is first on the redis transport, the highest on redis-plus.",
        source="celery #4028, #8673",
    )
    task_inherit_parent_priority: Flag = setting(False, "Children get their parent's priority.", source=CONFIG)
    task_send_sent_event: Flag = setting(False, "Send an event per publish, for monitors.", source=CONFIG)
    task_default_rate_limit: RateLimit | None = setting(
        None, 'Rate per worker process of tasks that name none, as "100/m".', source=CONFIG
    )
    result_expires: Seconds = setting(
        86_400,
        "Results are deleted after this; 0 keeps them for ever, which fills the memory.",
        unit="seconds",
        source=CONFIG,
    )
    result_extended: Flag = setting(True, "Keep name, arguments, worker and queue with a result.", source=CONFIG)
    worker_prefetch_multiplier: Whole = setting(
        1,
        "Messages reserved per slot. 1 with late acks: what is reserved by a busy worker starves the others. On the redis "
        "transport 1 then means what runs and no more, which Celery counts itself (--disable-prefetch).",
        source="celery #1933, #2415; docs/decisions/021-slots-are-counted-by-celery.md; " + OPTIMIZING,
        le=10_000,
    )
    worker_max_tasks_per_child: Positive | None = setting(
        1000, "Replace a pool child after this many tasks: bounds leaks.", unit="tasks", source=CONFIG
    )
    worker_send_task_events: Flag = setting(
        False, "Send task events, for Flower; measured to cost about a third.", source=CONFIG
    )
    worker_cancel_long_running_tasks_on_connection_loss: Flag = setting(
        False, "Cancel late-ack tasks when the broker is lost; they run again in any case.", source=CONFIG
    )
    worker_soft_shutdown_timeout: Seconds = setting(
        0, "Grace before a cold shutdown (SIGQUIT) cancels tasks.", unit="seconds", source=WORKERS
    )
    worker_eta_task_limit: Positive | None = setting(
        10_000, "ETA tasks that a worker holds at most; without it memory has no bound.", unit="tasks", source=CONFIG
    )
    worker_enable_remote_control: Flag = setting(
        True, "Answer inspect and control, which verify and drain need.", source=CONFIG
    )
    broker_connection_retry_on_startup: Flag = setting(True, "Wait for the broker at start.", source=CONFIG)
    broker_pool_limit: Positive = setting(
        10, "Connections that a producer process keeps.", unit="connections", source=CONFIG, le=10_000
    )
    broker_connection_timeout: Seconds = setting(
        4, "Longest connect to the broker.", unit="seconds", source=CONFIG, gt=0
    )
    result_backend_always_retry: Flag = setting(
        True, "Try to read and write results again over a broken connection.", source=CONFIG
    )
    result_backend_max_retries: Whole = setting(
        3,
        "How often, at most. Celery has no bound: while Redis is frozen, get(timeout=5) does not return. Each try of a read lasts "
        "celery_socket_timeout at most, each of a worker's write 20 s or more.",
        unit="tries",
        source="celery 5.7 backends/base.py, _ensure_retryable; celery #4857; measured",
        le=1000,
    )
    enable_utc: Flag = setting(True, "Write times in UTC.", source=CONFIG)
    timezone: Text = setting("UTC", "Time zone of crontabs.", source=CONFIG)


class Celery(CeleryConfig, Section):
    """The Celery application and everything that runs it."""

    prefix: ClassVar[str] = "celery_"

    profile: Annotated[Literal["safe", "throughput", "latency", "long-running"], Word] = setting(
        "safe",
        "A bundle of defaults for what this inventory does not say itself; `celery_profile` in docs/settings.md lists "
        "them, each with its reason.",
        source="settings/bundles.py; measured: benchmarks/profiles",
    )
    # the application
    app: Identifier = setting("tasks.app:app", "The application, as `celery --app` takes it.", apply=Apply.RESTART)
    imports: list[Identifier] = setting(
        lambda: ["tasks.probe"], "Modules with tasks; `tasks.probe` is what verify runs.", apply=Apply.RESTART
    )
    source: Text = setting(
        "tasks",
        "What is deployed: a directory of packages beside the inventories, a wheel, or a git address with "
        "`celery_source_kind`.",
        apply=Apply.RESTART,
    )
    source_kind: Annotated[Literal["directory", "wheel", "git"], Word] = setting(
        "directory", "What `celery_source` names.", apply=Apply.RESTART
    )
    source_version: Text = setting("", "Branch, tag or commit of a git source.", apply=Apply.RESTART)
    requirements: Text = setting(
        "",
        "Requirements of the application, pinned with hashes. Empty takes requirements/worker.txt, or "
        "requirements/worker-plus.txt where `celery_transport` is redis-plus.",
        apply=Apply.RESTART,
    )
    python: Command = setting("python3", "Interpreter of the releases' virtual environments.", apply=Apply.RESTART)
    installer: Annotated[Literal["pip", "uv"], Word] = setting(
        "pip", "What installs a release's requirements.", apply=Apply.DEPLOY
    )
    uv_binary: Command = setting("uv", "Program of the installer uv, on the host.", apply=Apply.DEPLOY)
    wheelhouse: PathOrEmpty = setting(
        "", "Directory of wheels on the host, in place of a package index: for hosts without one.", apply=Apply.DEPLOY
    )
    release: ReleaseId = setting(
        "",
        "Release that runs, of those that are on the hosts; empty is the one that source and requirements describe. "
        "`make rollback` says it for one run.",
        apply=Apply.RESTART,
    )
    keep_releases: Positive = setting(3, "Releases that stay for a rollback.", apply=Apply.DEPLOY, le=100)
    user: UserName = setting("celery", "System user of the workers.", apply=Apply.DEPLOY)
    group: UserName = setting("celery", "System group of the workers.", apply=Apply.DEPLOY)
    environment: dict[EnvironmentName, Text] = setting(
        dict, "Further environment variables of the workers. Not for secrets."
    )
    secret_environment: dict[EnvironmentName, Secret] = setting(
        dict, "Further environment variables of the workers that hold secrets.", secret=True
    )
    # broker and results
    transport: Annotated[Literal["redis", "redis-plus"], Word] = setting(
        "redis",
        "The broker transport. redis-plus (Python >= 3.13) closes the gap in which a killed worker loses a task.",
        source="measured: stock lost 14 of 80,887 tasks in 20 kills, plus 0 of 82,302; docs/decisions/011-redis-plus.md",
    )
    delivery_limit: Positive | None = setting(
        20,
        "On redis-plus a message is dropped, and logged, at its n-th delivery: a task that kills every worker must "
        "end; none delivers for ever. The redis transport has no such limit.",
        unit="deliveries",
        source="celery-redis-plus 0.4.1, delivery_limit",
        le=10_000,
    )
    broker_instance: Name = setting("broker", "Redis instance that holds the queues.")
    result_instance: Name = setting("broker", "Redis instance that holds the results.")
    broker_db: Whole = setting(0, "Database of the queues.", le=1023)
    result_db: Whole = setting(0, "Database of the results.", le=1023)
    tls_ca_cert_file: PathOrEmpty = setting(
        "",
        "Authority that Redis' certificate is checked against, on the hosts of Celery, where `tls_source` is host; "
        "empty takes `redis_tls_ca_cert_file`.",
    )
    tls_cert_file: PathOrEmpty = setting(
        "", "Certificate that workers show, on their hosts, where `tls_source` is host; `celery_user` must read it."
    )
    tls_key_file: PathOrEmpty = setting("", "Its private key, on the hosts of Celery.")
    global_keyprefix: KeyPrefix = setting(
        "", "Prefix of every key, ending in a colon: lets applications share a Redis.", source=REDIS
    )
    visibility_timeout: Positive = setting(
        3600,
        "A task that is not acknowledged within this is delivered again: must exceed every run time and ETA. A worker "
        "of redis-plus renews it for what it holds, and the sweep adds up to two minutes.",
        unit="seconds",
        source="kombu #337, celery #4766, #5935; " + REDIS,
        le=31_536_000,
    )
    longest_eta: Seconds = setting(
        0,
        "Longest ETA or countdown that the applications use: a worker holds such a message unacknowledged until then.",
        unit="seconds",
        source="kombu #337",
    )
    unacked_restore_interval: Positive = setting(
        10,
        "How often a worker of the redis transport looks for messages past the visibility timeout.",
        unit="seconds",
        source="kombu 5.7 transport/redis.py",
        le=86_400,
    )
    unacked_restore_throttle: Positive = setting(
        1,
        "Look only at every n-th round; kombu's 10 makes a redelivery up to 100 s late.",
        source="kombu 5.7 transport/redis.py",
        le=1000,
    )
    unacked_mutex_expire: Positive = setting(
        30,
        "Life of the lock that a killed worker can leave behind; kombu's 300 stops all redelivery that long.",
        unit="seconds",
        source="kombu 5.7 transport/redis.py",
        le=86_400,
    )
    priority_steps: list[Priority] = setting(
        lambda: [0, 3, 6, 9],
        "Priority levels of the redis transport; each is a Redis list of its own. 0 is first. redis-plus has 0 to "
        "255 in one sorted set, and the highest is first.",
        source="celery #4028",
        min_length=1,
    )
    queue_order_strategy: Annotated[Literal["round_robin", "sorted", "priority"], Word] = setting(
        "priority",
        "Order in which a worker asks its queues for tasks of one priority step, on the redis transport. priority: as "
        "the group names them, so a busy queue starves those after it; sorted: by name, likewise; round_robin: in turn. "
        "Priorities of tasks hold with each.",
        source="measured; kombu 5.7 transport/redis.py, _brpop_start",
    )
    socket_timeout: Seconds = setting(
        30,
        "Longest wait for an answer of Redis; a silent broker is noticed after this. An idle worker waits 1 s in "
        "BRPOP.",
        unit="seconds",
        source="kombu 5.7 transport/redis.py, brpop_timeout; " + CONFIG,
        ge=2,
    )
    socket_connect_timeout: Seconds = setting(5, "Longest connect to Redis.", unit="seconds", source=CONFIG, gt=0)
    socket_keepalive: Flag = setting(True, "Probe idle connections.", source=CONFIG)
    health_check_interval: Whole = setting(
        10, "PING a connection that was idle this long before it is used.", unit="seconds", source=CONFIG, le=86_400
    )
    reuse_clients: Flag = setting(
        False,
        "Build one client of redis-py per channel, in place of one per operation, on the redis transport: a module of ours "
        "below kombu's.",
        source="redis-py #3624; measured; docs/decisions/023-brakes.md",
    )
    one_step_results: Flag = setting(
        False,
        "Store the first result of a task in one step of Redis, in place of reading what is there and then writing; a success is "
        "never overwritten, as before.",
        source="celery 5.7 backends/base.py, _store_result; measured; docs/decisions/023-brakes.md",
    )
    timer_slack: Positive | None = setting(
        None,
        "How late Linux may end a sleep of the thread that reads the configuration first, and of those it starts; empty is "
        "Linux's own, 50. A client that waits for a result yields by sleep(0), several times per result.",
        unit="microseconds",
        source="prctl(2), PR_SET_TIMERSLACK; celery 5.7 backends/asynchronous.py; measured; docs/decisions/023-brakes.md",
        le=1000,
    )
    extra_config: dict[ConfigKey, Json] = setting(dict, "Further keys of Celery's configuration, under Celery's names.")

    @property
    def requirements_file(self) -> str:
        """The file of requirements, by transport where none is named."""
        return self.requirements or f"requirements/worker{'-plus' if self.transport == 'redis-plus' else ''}.txt"

    # what runs
    queues: list[Queue] = setting(lambda: [Queue(name="celery")], "The queues there are.", min_length=1)
    routes: list[Route] = setting(list, "Which tasks go to which queue; the first match wins.")
    workers: list[Worker] = setting(lambda: [Worker(name="default", queues=["celery"])], "Worker groups of a host.")
    loglevel: LogLevel = setting("INFO", "Log level; INFO costs 15 to 20 % of throughput, measured.")
    mingle: Flag = setting(
        False,
        "Ask the other workers for revoked tasks before tasks are taken, at a start and after every lost connection: 1 s "
        "each time. Without it a worker that starts later runs what was revoked before.",
        source="measured: consuming again after kill -9 of Redis 3.0 s with it, 2.0 s without; docs/decisions/019",
    )
    heartbeat: Flag = setting(
        True,
        "Tell every 2 s, by an event, that the worker is there: Flower shows as offline who does not. A worker whose Redis is "
        "silent may hang in that event, however long, and notices time limits when Redis is back.",
        source="celery 5.7, worker/heartbeat.py: sent with retry, without a limit; stacks taken here: decision 021",
    )
    stop_timeout: Positive = setting(
        360,
        "Longest warm stop of a worker before it is killed: hard limit plus 35 s, as billiard can wait that long.",
        unit="seconds",
        source="measured: 3 of 12 warm stops of an idle worker took 31.8 s",
        le=604_800,
    )
    restart_delay: Positive = setting(2, "Pause before a crashed worker is started again.", unit="seconds", le=3600)
    networks: list[Network] = setting(
        list,
        "Networks that Celery's processes may talk to under systemd, besides loopback and the inventory's Redis and "
        "Sentinel hosts; empty is all. A task that fetches what a stranger names then reaches no metadata service.",
        source="systemd.resource-control(5), IPAddressAllow",
    )
    unit_extra: list[UnitLine] = setting(
        list,
        "Further lines of the systemd units, after the sandbox and so with the last word. Tasks that compile code at "
        "run time want MemoryDenyWriteExecute=no, those that write elsewhere ReadWritePaths=/srv/exports.",
        source="systemd.exec(5)",
    )
    # beat
    beat_schedule: list[BeatEntry] = setting(list, "Periodic tasks, run by the one host of the inventory group `beat`.")
    beat_max_loop_interval: Positive = setting(5, "Longest nap of beat.", unit="seconds", le=3600)
    # flower
    flower_port: Port = setting(5555, "Port of Flower, on the hosts of the inventory group `flower`.")
    flower_bind: BindAddress = setting("127.0.0.1", "Address of Flower.")
    flower_user: UserName = setting("admin", "User of Flower's page.")
    flower_password: Secret | None = setting(None, "Password of Flower's page.", secret=True)
    flower_max_tasks: Positive = setting(10_000, "Tasks that Flower remembers: bounds its memory.", le=1_000_000)
    flower_memory_max: Bytes = setting(
        512 * 1024**2, "systemd MemoryMax of Flower: beyond it, it is restarted.", unit="bytes", ge=64 * 1024**2
    )


__all__ = ["BeatEntry", "Celery", "CeleryConfig", "Queue", "Route", "Worker"]
