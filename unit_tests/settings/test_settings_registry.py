"""Names of tasks are read from the source as the workers would register them, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from celery import Celery as CeleryApplication

from settings.model import Celery
from settings.registry import application_tasks, registered_tasks

REPOSITORY = Path(__file__).resolve().parents[2]


def tasks_of(folder: Path, source: str) -> tuple[str, ...] | None:
    package = folder / "shop"
    package.mkdir()
    (package / "orders.py").write_text(source)
    return registered_tasks("directory", str(package))


def test_a_task_is_called_after_its_module_unless_it_says_otherwise(tmp_path: Path) -> None:
    source = """
@app.task
def bill(): ...
@shared_task(bind=True, name="orders.ship")
def ship(self): ...
@celery.app.task(bind=True)
async def later(self): ...
@property
def not_a_task(self): ...
def helper(): ...
"""
    assert tasks_of(tmp_path, source) == ("orders.ship", "shop.orders.bill", "shop.orders.later")


def test_a_decorator_of_the_application_names_its_tasks(tmp_path: Path) -> None:
    source = """
def order(kind, name, **options):
    return shared_task(name=f"orders.{name}.v2", **options)
@order("x", "pay", bind=True)
def pay(self): ...
@order("x", name="refund")
def refund(self): ...
"""
    assert tasks_of(tmp_path, source) == ("orders.pay.v2", "orders.refund.v2")


@pytest.mark.parametrize(
    "source",
    [
        "@app.task(name=PREFIX + 'a')\ndef a(): ...",
        "def make(name):\n    return app.task(name=name)\n@make(compute())\ndef a(): ...",
        "@app.task\ndef a(): ...\napp.register_task(B())",
        "def broken(:",
        "x = 1",
    ],
)
def test_what_only_running_would_tell_is_not_guessed(tmp_path: Path, source: str) -> None:
    assert tasks_of(tmp_path, source) is None


def test_a_wheel_or_a_git_address_cannot_be_read() -> None:
    assert registered_tasks("git", "https://example.com/shop.git") is None
    assert registered_tasks("wheel", "shop.whl") is None
    assert registered_tasks("directory", "no/such/folder") is None


def test_the_probes_of_this_repository_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    import tasks.probe  # registers its shared tasks with every app

    assert tasks.probe
    monkeypatch.chdir(REPOSITORY)
    found = application_tasks(Celery())
    assert found is not None
    assert {"probe.add", "probe.heartbeat", "probe.long", "celery.chord_unlock"} <= set(found)
    app = CeleryApplication("test", set_as_current=False)
    app.finalize()
    registered = {name for name in app.tasks if name.startswith(("probe.", "celery."))}
    assert {name for name in found if name.startswith("probe.")} == {
        name for name in registered if name.startswith("probe.")
    }
    assert {name for name in registered if name.startswith("celery.")} <= set(found)


def test_an_application_of_ones_own_with_the_probes_has_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "tasks.py").write_text("@app.task\ndef bill(): ...")
    celery = Celery(app="shop.app:app", imports=["shop.tasks", "tasks.probe"], source=str(shop))
    found = application_tasks(celery)
    assert found is not None
    assert {"shop.tasks.bill", "probe.add"} <= set(found)
