"""The deployed app is configured by the rendered celeryconfig or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from celery import Celery
from celery.exceptions import ImproperlyConfigured

from tasks.configuration import DeployedLoader

ROOT = Path(__file__).parents[2]
PROBES = {
    "probe.add",
    "probe.autoretry",
    "probe.compute",
    "probe.crash",
    "probe.echo",
    "probe.fail",
    "probe.file",
    "probe.hard_limit",
    "probe.heartbeat",
    "probe.ledger",
    "probe.long",
    "probe.memory_hog",
    "probe.noop",
    "probe.priority",
    "probe.rate_limited",
    "probe.record",
    "probe.redis_ping",
    "probe.retry",
    "probe.sleep",
    "probe.soft_limit",
    "probe.sum",
    "probe.whoami",
    "probe.work",
}


@pytest.fixture
def celeryconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a rendered celeryconfig's path, with its folder on the module path."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "celeryconfig", raising=False)
    return tmp_path / "celeryconfig.py"


@pytest.fixture
def deployed() -> Celery:
    """Return an app made like tasks.app's, but not this process's default."""
    return Celery("tasks", loader=DeployedLoader, include=("tasks.probe",), set_as_current=False)


def read(app: Celery) -> str:
    """Make the app read its configuration; return the queue it says."""
    return str(app.conf.task_default_queue)


def test_settings_come_from_the_rendered_celeryconfig_and_urls_from_the_environment(
    celeryconfig: Path, deployed: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    celeryconfig.write_text("task_default_queue = 'orders'\nbroker_url = 'redis://file/0'\n")
    monkeypatch.setenv("CELERY_CONFIG_MODULE", "celeryconfig")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://environment/0")
    monkeypatch.setenv("CELERY_RESULT_BACKEND", "redis://environment/1")
    assert read(deployed) == "orders"
    assert deployed.conf.broker_url == "redis://environment/0"
    assert deployed.conf.result_backend == "redis://environment/1"


def test_a_worker_imports_the_probes_and_what_celeryconfig_adds(
    celeryconfig: Path, deployed: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    celeryconfig.write_text("broker_url = 'memory://'\nimports = ['json']\n")
    monkeypatch.setenv("CELERY_CONFIG_MODULE", "celeryconfig")
    assert [module.__name__ for module in deployed.loader.import_default_modules()] == ["json", "tasks.probe"]


def test_a_missing_configuration_is_refused_in_one_sentence(deployed: Celery) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"CELERY_CONFIG_MODULE is not set: set it to celeryconfig"):
        read(deployed)


@pytest.mark.parametrize("module", ["no_such_config", "no_such.celeryconfig", "/etc/celeryconfig.py"])
def test_a_configuration_off_the_path_is_refused_in_one_sentence(
    module: str, deployed: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_CONFIG_MODULE", module)
    with pytest.raises(ImproperlyConfigured, match=r"cannot be imported.*on PYTHONPATH"):
        read(deployed)


def test_a_file_name_in_place_of_a_module_name_is_refused_in_one_sentence(
    celeryconfig: Path, deployed: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    celeryconfig.write_text("broker_url = 'memory://'\n")
    monkeypatch.setenv("CELERY_CONFIG_MODULE", "celeryconfig.py")
    with pytest.raises(ImproperlyConfigured, match=r"a module's name and not a file's"):
        read(deployed)


def test_an_import_that_fails_inside_the_configuration_keeps_its_own_error(
    celeryconfig: Path, deployed: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    celeryconfig.write_text("import no_such_library\n")
    monkeypatch.setenv("CELERY_CONFIG_MODULE", "celeryconfig")
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        read(deployed)


def test_a_missing_broker_url_is_refused_instead_of_falling_back_to_amqp(
    celeryconfig: Path, deployed: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    celeryconfig.write_text("task_default_queue = 'orders'\n")
    monkeypatch.setenv("CELERY_CONFIG_MODULE", "celeryconfig")
    with pytest.raises(ImproperlyConfigured, match="CELERY_BROKER_URL is not set"):
        read(deployed)


def test_the_celery_command_prints_that_sentence_and_no_traceback() -> None:
    done = celery_command("worker")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: CELERY_CONFIG_MODULE is not set")
    assert done.stderr.count("\n") == 1


def test_importing_the_app_needs_no_environment_and_a_test_may_configure_it() -> None:
    script = (
        "from tasks.app import app\n"
        "app.config_from_object({'broker_url': 'memory://', 'task_default_queue': 'own'})\n"
        "app.loader.import_default_modules()\n"
        "print(app.conf.task_default_queue, len([n for n in app.tasks if n.startswith('probe.')]))"
    )
    done = python("-c", script)
    assert (done.returncode, done.stdout.split()) == (0, ["own", str(len(PROBES))]), done.stderr


def test_a_shared_probe_reaches_the_deployed_app_from_any_thread() -> None:
    script = (
        "import threading\n"
        "from tasks.app import app\n"
        "from tasks.probe.basic import add\n"
        "app.config_from_object({'broker_url': 'memory://'})\n"
        "t = threading.Thread(target=lambda: print(add.app is app)); t.start(); t.join()"
    )
    assert python("-c", script).stdout.strip() == "True"


def test_any_application_gets_the_probes_under_their_names(app: Celery) -> None:
    assert {name for name in app.tasks if not name.startswith("celery.")} == PROBES
    assert all(app.tasks[name].app is app for name in PROBES)


def test_probes_say_nothing_that_settings_should_say(app: Celery) -> None:
    allowed = {"probe.rate_limited": "10/s"}
    for name in PROBES:
        task = app.tasks[name]
        assert (task.time_limit, task.soft_time_limit) == (None, None)
        assert (task.acks_late, task.reject_on_worker_lost) == (False, None)
        assert task.rate_limit == allowed.get(name)
        assert task.serializer == "json"


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a fresh process with the repository and nothing of Celery in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CELERY")}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def celery_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `celery -A tasks.app:app …` that way."""
    return python("-m", "celery", "-A", "tasks.app:app", *arguments)
