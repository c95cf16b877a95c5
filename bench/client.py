"""The application that sends tasks: configured by the very celeryconfig.py that the workers have."""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from unittest.mock import patch

from celery import Celery

from bench.stage import Staged
from settings.endpoints import broker_url, result_url
from verify.keys import url_in_clear


def producer(staged: Staged, user: str = "producer") -> Celery:
    """Return an application that publishes and reads results as one of the users of Redis.

    Args:
        staged: rendered files.
        user: built-in user of Redis.
    """
    host = staged.fleet.celery_hosts()[0]
    broker = url_in_clear(broker_url(staged.fleet, host, user, operator=True))
    results = url_in_clear(result_url(staged.fleet, host, user, operator=True))
    app = Celery("bench", set_as_current=False)
    app.conf.update(
        {**_configuration(staged, host.name, broker, results), "broker_url": broker, "result_backend": results}
    )
    return app


def _configuration(staged: Staged, host: str, broker: str, results: str) -> dict[str, Any]:
    """Return the values of the rendered module; it finds its secrets in the environment, as it does on the host."""
    file = staged.host(host) / "etc/celery/celeryconfig.py"
    urls = {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": results}
    # what it imports stands beside it
    with patch.dict(os.environ, urls), patch.object(sys, "path", [str(file.parent), *sys.path]), _any_transport():
        module = runpy.run_path(str(file))
    return {name: value for name, value in module.items() if name.islower() and not name.startswith("_")}


@contextlib.contextmanager
def _any_transport() -> Iterator[None]:
    """Let a celeryconfig.py register a transport that this Python is too old for: its values are wanted, no more."""
    missing = not find_spec("celery_redis_plus")
    name = "closed_channels_plus"  # imports it
    if missing:
        sys.modules[name] = ModuleType(name)
    yield
    if missing:
        del sys.modules[name]
