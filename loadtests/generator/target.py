"""What is put under load: where its Redis is, and how its producers publish."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from settings.endpoints import broker_url, result_url, sentinel_options, tls_arguments
from settings.fleet import Fleet, HostSettings
from settings.secrets import write_private
from settings.tls import operator_files
from verify.keys import files_in_clear, url_in_clear

VARIABLE = "LOAD_TARGET"
# Celery's settings that a producer's messages depend on, under Celery's own names.
PUBLISHING = (
    *("task_default_queue", "task_default_priority", "task_ignore_result", "task_create_missing_queues"),
    *("enable_utc", "timezone"),
)


def _sentinel(fleet: Fleet, host: HostSettings, *, operator: bool) -> dict[str, Any]:
    """Return what a `sentinel://` URL cannot say; the TLS files are this machine's where the operator runs the generator."""
    said = sentinel_options(fleet, host)
    found = fleet.find_instance(host.sentinel.master_name)
    if operator and found and said.get("tls"):
        return {**said, "tls": tls_arguments(files_in_clear(operator_files(*found)))}
    return said


class NoTarget(Exception):  # noqa: N818 - it says what is the matter
    """There is nothing that can be put under load; the message says what to do."""


@dataclass(frozen=True)
class Target:
    """A deployment as its producers see it. Plain data: it goes to generators on other hosts as JSON."""

    broker: str = field(repr=False)  # URLs: they hold a password
    results: str = field(repr=False)
    queues: list[str]
    routes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # in the order in which they are asked
    conf: dict[str, Any] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)
    priority_steps: list[int] = field(default_factory=lambda: [0, 3, 6, 9])
    key_prefix: str = ""
    socket_timeout: float = 10.0  # seconds that a publish may take
    sentinel: dict[str, Any] = field(default_factory=dict, repr=False)  # master_name and tls
    ways: list[tuple[str, int, int]] = field(default_factory=list)  # address and port, and a port here that leads there

    @classmethod
    def of(cls, fleet: Fleet, host: HostSettings, user: str = "producer", *, operator: bool = True) -> Target:
        """Return what a host of Celery publishes to, as a user of Redis.

        Args:
            fleet: all hosts.
            host: whose settings of Celery hold.
            user: whose rights the generator has; a producer's are enough.
            operator: the generator runs on the operator's machine, and uses the TLS files there.

        Raises:
            NoTarget: if messages of the transport are not known here.
        """
        celery = host.celery
        if celery.transport != "redis":
            raise NoTarget(
                f"celery_transport: {celery.transport}: the generator writes the messages of the transport redis only; "
                "test an inventory with celery_transport: redis."
            )
        return cls(
            broker=url_in_clear(broker_url(fleet, host, user, operator=operator)),
            results=url_in_clear(result_url(fleet, host, user, operator=operator)),
            queues=[queue.name for queue in celery.queues],
            routes=[
                (
                    route.match,
                    {"queue": route.queue} | ({"priority": route.priority} if route.priority is not None else {}),
                )
                for route in celery.routes
            ],
            conf={name: getattr(celery, name) for name in PUBLISHING},
            imports=list(celery.imports),
            priority_steps=sorted(celery.priority_steps),
            key_prefix=celery.global_keyprefix,
            socket_timeout=celery.socket_timeout,
            sentinel=_sentinel(fleet, host, operator=operator),
        )

    def write(self, path: Path) -> None:
        """Write it to a file that only its owner reads."""
        write_private(path, self.as_json())

    def as_json(self) -> str:
        """Return what `read` reads; it holds a password."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Target:
        """Return what `write` wrote.

        Raises:
            NoTarget: if there is no such file, or it holds something else.
        """
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            routes = [(match, options) for match, options in said.pop("routes")]
            ways = [(host, port, here) for host, port, here in said.pop("ways")]
            return cls(**said, routes=routes, ways=ways)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise NoTarget(f"{path} describes no target ({type(error).__name__}): write it anew.") from None

    @classmethod
    def named(cls) -> Target:
        """Return the target whose file the environment names.

        Raises:
            NoTarget: if none is named, or it cannot be read.
        """
        path = os.environ.get(VARIABLE)
        if not path:
            raise NoTarget(f"{VARIABLE} is not set: it names the file that says what to put under load.")
        return cls.read(Path(path))
