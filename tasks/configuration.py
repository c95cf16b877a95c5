"""Reading the rendered celeryconfig, and refusing to run without it.

Celery's own loader takes a missing configuration for an empty one and then connects to amqp://guest@localhost
for ever (celery 5.7, loaders/base.py, read_configuration). A deployed worker has to say what is missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from celery.exceptions import ImproperlyConfigured
from celery.loaders.app import AppLoader
from celery.utils.imports import NotAPackage
from click import ClickException

CONFIG_VARIABLE = "CELERY_CONFIG_MODULE"
BROKER_VARIABLE = "CELERY_BROKER_URL"


# Both at once: a client catches Celery's ImproperlyConfigured, and the celery command, which is written with
# click, prints a ClickException as one line and exits 1, where any other exception is a traceback.
class NotConfigured(ClickException, ImproperlyConfigured):  # type: ignore[misc]
    """The environment lacks what the application is configured with."""


class DeployedLoader(AppLoader):  # type: ignore[misc]
    """Reads the module named by CELERY_CONFIG_MODULE, on first use of `app.conf`."""

    def read_configuration(self, env: str = CONFIG_VARIABLE) -> Mapping[str, Any]:
        """Import the configuration module and return its settings.

        Args:
            env: the environment variable that names the module.

        Raises:
            NotConfigured: if the variable is unset, it names no module, or there is no broker URL.
            ImportError: if the module is there and fails to import something itself.
        """
        module = os.environ.get(env)
        if not module:
            raise NotConfigured(
                f"{env} is not set: set it to celeryconfig, the name of the rendered module, and put the "
                "module's folder on PYTHONPATH, or call app.config_from_object(...) before using the app."
            )
        try:
            settings: Mapping[str, Any] = super().read_configuration(env)
        except (ModuleNotFoundError, NotAPackage) as error:
            missing = getattr(error, "name", None) or module
            if not f"{module}.".startswith(f"{missing}."):
                raise
            raise NotConfigured(
                f"{env}={module} cannot be imported: set it to celeryconfig, a module's name and not a "
                "file's, and put the folder of the rendered celeryconfig.py on PYTHONPATH."
            ) from error
        if not (os.environ.get(BROKER_VARIABLE) or settings.get("broker_url")):
            raise NotConfigured(
                f"{BROKER_VARIABLE} is not set and {module} has no broker_url: set the variable to the "
                "broker's URL, redis://user:password@host:6379/0."
            )
        return settings
