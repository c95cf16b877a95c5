"""Lets a process find addresses of a closed network on ports of its own machine, where a tunnel leads there."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Address = tuple[str, int]
LOOPBACK = "127.0.0.1"


def redirect(table: Mapping[Address, int]) -> Callable[[], None]:
    """Let this process find some addresses on ports of its own machine: redis-py and kombu ask getaddrinfo.

    Returns:
        What ends it.
    """
    real = socket.getaddrinfo

    def lookup(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        local = table.get((str(host), int(port))) if host and str(port).isdigit() else None
        return real(LOOPBACK, local, *args, **options) if local else real(host, port, *args, **options)

    def end() -> None:
        socket.getaddrinfo = real

    socket.getaddrinfo = lookup
    return end


@contextlib.contextmanager
def redirected(table: Mapping[Address, int]) -> Iterator[None]:
    """Redirect within a block."""
    end = redirect(table)
    try:
        yield
    finally:
        end()
