"""Redis: the options of an instance, the instances, their users, or a managed Redis in their place."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, model_validator

from settings.describe import Apply, Item, Section, setting
from settings.types import (
    AddressOrEmpty,
    BindAddress,
    BufferLimit,
    Bytes,
    Command,
    Flag,
    HostAndPort,
    Integer,
    ManagedUrl,
    Name,
    PathOrEmpty,
    PortOrOff,
    Positive,
    SavePoint,
    Secret,
    TlsProtocols,
    UnitLine,
    UserName,
    Version,
    Whole,
    Word,
)

CONF = "https://redis.io/docs/latest/operate/oss_and_stack/management/config-file/"
PERSISTENCE = "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/"
ACL = "https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/"
TLS = "https://redis.io/docs/latest/operate/oss_and_stack/management/security/encryption/"
EVICTION = "https://redis.io/docs/latest/develop/reference/eviction/"

Policy = Annotated[
    Literal[
        "noeviction",
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ],
    Word,
]
AclRole = Annotated[
    Literal[
        "admin", "worker", "producer", "control", "verifier", "flower", "exporter", "health", "replica", "sentinel"
    ],
    Word,
]


class RedisOptions(Item):
    """Options of one instance; upstream's names, so that redis.conf's own documentation holds."""

    # network
    bind: list[BindAddress] = setting(
        lambda: ["127.0.0.1"],
        "Addresses to listen on.",
        source=CONF,
        min_length=1,
    )
    port: PortOrOff = setting(6379, "TCP port; 0 turns plain TCP off, for TLS only.", source=CONF)
    protected_mode: Flag = setting(
        True, "Refuse remote clients while no password is set.", apply=Apply.LIVE, source=CONF
    )
    tcp_backlog: Positive = setting(
        511, "Listen queue; the kernel caps it at `host_somaxconn`.", unit="connections", source=CONF, le=65535
    )
    tcp_keepalive: Whole = setting(
        60,
        "Probe silent peers this often: a vanished worker's connection must not live for ever.",
        unit="seconds",
        apply=Apply.LIVE,
        source=CONF,
        le=86400,
    )
    timeout: Whole = setting(
        0,
        "Close idle clients after this long; 0 never. Idle Celery producers would meet closed connections.",
        unit="seconds",
        apply=Apply.LIVE,
        source=CONF,
        le=2**31 - 1,
    )
    maxclients: Positive = setting(
        1000, "Connections that are served at once.", unit="connections", apply=Apply.LIVE, source=CONF, le=1_000_000
    )
    # TLS
    tls_port: PortOrOff = setting(0, "TLS port; 0 is off.", source=TLS)
    tls_cert_file: PathOrEmpty = setting(
        "", "Certificate of the server, on the host, where `tls_source` is host.", source=TLS
    )
    tls_key_file: PathOrEmpty = setting(
        "", "Private key of the server, on the host, where `tls_source` is host.", source=TLS
    )
    tls_ca_cert_file: PathOrEmpty = setting(
        "",
        "Authority that clients' certificates are checked against, on the host, where `tls_source` is host.",
        source=TLS,
    )
    tls_auth_clients: Annotated[Literal["yes", "no", "optional"], Word] = setting(
        "yes", "Whether a client must show a certificate.", source=TLS
    )
    tls_protocols: TlsProtocols = setting("TLSv1.2 TLSv1.3", "Accepted protocol versions.", source=TLS)
    # memory
    maxmemory: Bytes = setting(
        256 * 1024**2,
        "Ceiling of the data set; 0 is no ceiling. At most about half of the memory: an AOF rewrite copies what "
        "changes.",
        unit="bytes",
        apply=Apply.LIVE,
        source=CONF,
    )
    maxmemory_policy: Policy = setting(
        "noeviction",
        "What happens at the ceiling. Anything but noeviction silently deletes queues, bindings or results.",
        apply=Apply.LIVE,
        source="kombu #1063; measured: allkeys-* evicts queue lists, volatile-* evicts results",
    )
    maxmemory_samples: Positive = setting(
        5, "Keys looked at per eviction; matters to caches only.", apply=Apply.LIVE, source=EVICTION, le=64
    )
    # persistence
    appendonly: Flag = setting(
        True,
        "Keep an append-only file. Switched live by CONFIG SET: a restart onto a fresh AOF would load nothing.",
        apply=Apply.LIVE,
        source="measured: template and restart lost 3 of 3 queued tasks",
    )
    appendfsync: Annotated[Literal["always", "everysec", "no"], Word] = setting(
        "everysec",
        "When the AOF reaches the disk. A power cut loses nothing with always, about a second with everysec.",
        apply=Apply.LIVE,
        source="measured: always lost nothing in 150 power cuts; with everysec the worst window of 470 was 1.03 s; always "
        "costs 30-40 % of throughput",
    )
    no_appendfsync_on_rewrite: Flag = setting(
        False,
        "Skip fsync during a rewrite: faster, and a power cut then loses up to 30 s.",
        apply=Apply.LIVE,
        source=CONF,
    )
    auto_aof_rewrite_percentage: Whole = setting(
        100,
        "Rewrite the AOF when it has grown by this much; 0 never.",
        unit="percent",
        apply=Apply.LIVE,
        source=CONF,
        le=10_000,
    )
    auto_aof_rewrite_min_size: Bytes = setting(
        64 * 1024**2, "Do not rewrite a smaller AOF.", unit="bytes", apply=Apply.LIVE, source=CONF
    )
    aof_load_truncated: Flag = setting(
        True,
        "Start from an AOF with a torn last entry, as a power cut leaves it.",
        apply=Apply.LIVE,
        source="measured: 999 of 1000 entries loaded",
    )
    aof_use_rdb_preamble: Flag = setting(
        True, "Rewrite the AOF's base as RDB: smaller, loads faster.", apply=Apply.LIVE, source=CONF
    )
    save: list[SavePoint] = setting(
        list,
        'RDB snapshots as "seconds changes"; empty is none, as befits an AOF broker: a failed snapshot stops all '
        "writes.",
        apply=Apply.LIVE,
        source="measured: MISCONF after a failed bgsave refuses publishes and ends workers",
    )
    stop_writes_on_bgsave_error: Flag = setting(
        True, "Refuse writes after a failed snapshot.", apply=Apply.LIVE, source=CONF
    )
    rdbcompression: Flag = setting(True, "Compress RDB files.", apply=Apply.LIVE, source=CONF)
    # replication
    replicaof: HostAndPort = setting(
        "",
        'Master as "host port" at the first start; empty for a master. Where Sentinel watches, it decides from then on; where '
        "not, a change is told by REPLICAOF.",
        apply=Apply.LIVE,
        source=CONF,
    )
    min_replicas_to_write: Whole = setting(
        0,
        "Refuse writes with fewer replicas: bounds what a partitioned old master can lose.",
        unit="replicas",
        apply=Apply.LIVE,
        source=CONF,
        le=100,
    )
    min_replicas_max_lag: Whole = setting(
        10, "A replica counts while it lags no more than this.", unit="seconds", apply=Apply.LIVE, source=CONF, le=86400
    )
    repl_backlog_size: Bytes = setting(
        16 * 1024**2,
        "Backlog from which a replica resumes after a cut without a full copy.",
        unit="bytes",
        apply=Apply.LIVE,
        source=CONF,
        ge=16 * 1024,
    )
    # behaviour
    databases: Positive = setting(16, "Number of databases.", source=CONF, le=1024)
    hz: Positive = setting(10, "Background tasks per second.", apply=Apply.LIVE, source=CONF, le=500)
    io_threads: Positive = setting(1, "Threads for socket I/O; more than 1 helps from 4 cores on.", source=CONF, le=128)
    loglevel: Annotated[Literal["debug", "verbose", "notice", "warning"], Word] = setting(
        "notice", "How much is logged.", apply=Apply.LIVE, source=CONF
    )
    slowlog_log_slower_than: Integer = setting(
        10_000,
        "Log commands slower than this; 0 all, -1 none.",
        unit="microseconds",
        apply=Apply.LIVE,
        source=CONF,
        ge=-1,
        le=2**53,
    )
    slowlog_max_len: Whole = setting(512, "Entries of the slow log.", apply=Apply.LIVE, source=CONF, le=1_000_000)
    latency_monitor_threshold: Whole = setting(
        100, "Record events slower than this; 0 is off.", unit="milliseconds", apply=Apply.LIVE, source=CONF, le=2**53
    )
    client_output_buffer_limit_pubsub: BufferLimit = setting(
        "33554432 8388608 60",
        'Drop a subscriber that does not read: "hard soft seconds". Events and result waiters subscribe.',
        apply=Apply.LIVE,
        source=CONF,
    )
    # the service
    memory_max: Bytes = setting(
        0,
        "systemd MemoryMax of the service; 0 is none. Must leave room for copy-on-write.",
        unit="bytes",
        apply=Apply.LIVE,
        source="systemd.resource-control(5)",
    )
    limit_nofile: Positive = setting(
        10_032,
        "Open files of the service: at least maxclients + 32, or Redis lowers maxclients.",
        source=CONF,
        le=1_048_576,
    )


# Options that are the systemd unit's, not redis.conf's.
SERVICE_OPTIONS = ("memory_max", "limit_nofile")


def directive(option: str) -> str:
    """Return the directive of redis.conf that an option is written to."""
    return "client-output-buffer-limit" if option.startswith("client_output_buffer_limit") else option.replace("_", "-")


class RedisInstance(RedisOptions):
    """One Redis process; every option it does not name is taken from `redis_<option>`."""

    name: Name = setting(..., "Name of the instance; part of its file and unit names.", apply=Apply.DEPLOY)
    purpose: Annotated[Literal["broker", "results", "cache"], Word] = setting(
        "broker",
        "What it holds: tasks (and results), results only, or a cache that may forget.",
        apply=Apply.DEPLOY,
    )


class AclUser(Item):
    """One user of Redis with the least rights that its role needs."""

    name: UserName = setting(..., "Name that clients log in with.", apply=Apply.LIVE)
    role: AclRole = setting(
        ..., "Which rights: derived from queues, key prefix and Redis version.", apply=Apply.LIVE, source=ACL
    )
    password: Secret = setting(..., "Its password.", apply=Apply.LIVE, secret=True)
    previous_password: Secret | None = setting(
        None, "A second valid password while a rotation is under way.", apply=Apply.LIVE, secret=True
    )


class Redis(RedisOptions, Section):
    """Redis servers. `redis_<option>` is the default of every instance."""

    prefix: ClassVar[str] = "redis_"

    instances: list[RedisInstance] = setting(
        lambda: [RedisInstance(name="broker")],
        "The Redis processes of a host.",
        apply=Apply.DEPLOY,
        min_length=1,
    )
    auth: Annotated[Literal["acl", "password", "none"], Word] = setting(
        "acl",
        "How clients are told apart: a user per role, one password for all, or not at all.",
        apply=Apply.LIVE,
        source=ACL,
    )
    passwords: dict[Name, Secret] = setting(
        dict,
        "Passwords of the built-in users admin, worker, producer, control, verifier, flower, exporter, health, "
        "backup, replica and sentinel; `make secrets` writes them.",
        apply=Apply.LIVE,
        secret=True,
    )
    previous_passwords: dict[Name, Secret] = setting(
        dict, "Passwords that stay valid while a rotation is under way.", apply=Apply.LIVE, secret=True
    )
    password: Secret | None = setting(
        None, 'The one password where `redis_auth` is "password".', apply=Apply.LIVE, secret=True
    )
    acl_users: list[AclUser] = setting(list, "Users beyond the built-in ones, each with a role.", apply=Apply.LIVE)
    advertise_address: AddressOrEmpty = setting(
        "", "Address that clients reach this host's Redis by; empty takes the inventory's address.", apply=Apply.RESTART
    )
    managed_url: ManagedUrl = setting(
        SecretStr(""),
        "A managed Redis in place of the redis role, as rediss://user:password@host:port/db.",
        apply=Apply.RESTART,
        secret=True,
    )
    managed_ca_file: PathOrEmpty = setting(
        "", "Authority of a managed Redis, on the worker hosts.", apply=Apply.RESTART
    )
    version: Version = setting(
        "7.0",
        "Oldest Redis that the files are written for: an option that came later is left out. The deploy refuses "
        "an older server.",
        apply=Apply.DEPLOY,
        source="measured on 6.2.5, 7.0.15 and 8.0.2",
    )
    server_binary: Command = setting("redis-server", "The server's program.", apply=Apply.RESTART)
    cli_binary: Command = setting(
        "redis-cli", "The client's program, with which the roles ask and tell.", apply=Apply.DEPLOY
    )
    user: UserName = setting("redis", "System user of the service.", apply=Apply.DEPLOY)
    group: UserName = setting("redis", "System group of the service.", apply=Apply.DEPLOY)
    start_timeout: Positive = setting(
        60, "Longest start, the loading of the data set included.", unit="seconds", apply=Apply.LIVE, le=86400
    )
    stop_timeout: Positive = setting(
        60, "Longest stop, before it is killed.", unit="seconds", apply=Apply.LIVE, le=86400
    )
    unit_extra: list[UnitLine] = setting(
        list,
        "Further lines of the systemd units, after the sandbox and so with the last word: PrivateNetwork=yes, or "
        "ProtectHome=read-only.",
        source="systemd.exec(5)",
    )
    adopt_distribution: Flag = setting(
        False,
        "Take over the data set of the distribution's own redis-server.service where it holds a port of ours: it is "
        "stopped, its data set loaded by the instance on that port, and it never starts again.",
        apply=Apply.DEPLOY,
    )

    @model_validator(mode="before")
    @classmethod
    def _instances_inherit(cls, data: Any) -> Any:
        """Fill what an instance does not say from `redis_<option>`."""
        if not isinstance(data, dict):
            return data
        shared = {key: value for key, value in data.items() if key in RedisOptions.model_fields}
        instances = data.get("instances", [{"name": "broker"}])
        if not isinstance(instances, list):
            return data
        merged = [{**shared, **entry} if isinstance(entry, dict) else entry for entry in instances]
        return {**data, "instances": merged}

    @property
    def unmanaged(self) -> bool:
        """Whether the redis role runs the servers."""
        return not self.managed_url.get_secret_value()

    @property
    def managed_address(self) -> str:
        """Where a managed Redis is, without the password; empty where the redis role runs the servers."""
        parts = urlsplit(self.managed_url.get_secret_value())
        return f"{parts.hostname}:{parts.port or 6379}{parts.path}" if parts.hostname else ""


__all__ = ["AclUser", "Redis", "RedisInstance", "RedisOptions"]
