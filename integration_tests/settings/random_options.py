"""Random values for every option of a Redis instance, as a person could write them into an inventory."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from annotated_types import Ge, Le
from hypothesis import strategies as st

from settings.model.redis import SERVICE_OPTIONS, RedisOptions

# The network is the test's: every server gets a port of its own, and has no replicas. TLS needs certificates: the security suite has them.
NOT_DRAWN = {"bind", "port", "replicaof", "min_replicas_to_write", *SERVICE_OPTIONS}
# A server lowers maxclients to what its shell lets it open: 1,024 files, minus 32 of its own.
MOST_CLIENTS = 992
SIZES = st.builds(
    lambda number, unit: f"{number}{unit}", st.integers(16, 2048), st.sampled_from(["kb", "KB", "mb", "m", "k"])
)
SAVE_POINTS = st.lists(st.builds(lambda s, c: f"{s} {c}", st.integers(1, 86_400), st.integers(1, 100_000)), max_size=3)
BUFFERS = st.builds(lambda hard, soft, seconds: f"{hard}mb {soft}mb {seconds}", *[st.integers(1, 512)] * 3)
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "save": SAVE_POINTS,
    "client_output_buffer_limit_pubsub": BUFFERS,
    "maxclients": st.integers(1, MOST_CLIENTS),
    "io_threads": st.integers(1, 4),
    "repl_backlog_size": SIZES,
    "maxmemory": SIZES | st.integers(0, 2**40),
    "auto_aof_rewrite_min_size": SIZES,
}


def _drawn(name: str) -> st.SearchStrategy[Any]:
    if name in SPECIAL:
        return SPECIAL[name]
    field = RedisOptions.model_fields[name]
    if field.annotation is bool:
        return st.booleans()
    if get_origin(field.annotation) is not None and get_args(field.annotation):
        return st.sampled_from(get_args(field.annotation))
    if field.annotation is int:
        least = max((int(str(bound.ge)) for bound in field.metadata if isinstance(bound, Ge)), default=0)
        most = min((int(str(bound.le)) for bound in field.metadata if isinstance(bound, Le)), default=2**31 - 1)
        return st.integers(least, most)
    raise TypeError(f"no random values are known for redis_{name}: {field.annotation!r}")


def redis_options() -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy of `redis_<option>` variables; each option is said or left to its default."""
    names = [name for name in RedisOptions.model_fields if name not in NOT_DRAWN and not name.startswith("tls_")]
    optional = {f"redis_{name}": _drawn(name) for name in names}
    return st.fixed_dictionaries({}, optional=optional)
