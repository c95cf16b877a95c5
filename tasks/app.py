"""The deployed application, named by the setting `celery_app` as `tasks.app:app`.

It has no setting of its own. CELERY_CONFIG_MODULE names the rendered celeryconfig, whose folder is on
PYTHONPATH; CELERY_BROKER_URL and CELERY_RESULT_BACKEND, which hold passwords, stay out of that file: Celery
itself prefers them to any configured value (celery 5.7, app/utils.py, Settings.broker_url, .result_backend).

Importing this module needs no environment; the first use of `app.conf` does. A test that wants this very app
without a deployment calls `app.config_from_object({...})` first.
"""

from __future__ import annotations

from celery import Celery

from tasks.configuration import DeployedLoader

app = Celery("tasks", loader=DeployedLoader, include=("tasks.probe",))

# "Current" is per thread, and a shared task asks for the current app: without a default, `add.delay()` in a
# second thread of a client goes to a nameless fallback app (celery 5.7, _state.py, _get_current_app).
app.set_default()
