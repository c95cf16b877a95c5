"""Security: what somebody writes into a setting, a task's name or its arguments is text, and never becomes a command."""

from __future__ import annotations

import json
from typing import Any

import pytest
from celery.exceptions import NotRegistered

from bench.run import Run
from bench.stack import Stack
from bench.stage import NotStaged, Variant, stage
from integration_tests.promise import Proof, promise, variant

MARK = "/tmp/injected"  # noqa: S108 - a file in a container, which must not come about
NASTY = f"""it's "quoted" $(touch {MARK}) `touch {MARK}` ; touch {MARK} # | & > \\ % é"""  # templates are left out: in an inventory they are Ansible's
# Each tries to leave the word or the line that it is written into.
BAD_NAMES = {
    "celery_queues": [{"name": "fast\nuser intruder on nopass ~* +@all"}],
    "celery_workers": [{"name": "main; touch x", "queues": ["fast", "slow"]}],
    "redis_maxmemory": "64mb\nrequirepass x",
    "redis_bind": ["127.0.0.1 -::* 0.0.0.0\nprotected-mode no"],
    "redis_instances": [{"name": "broker$(id)"}],
    "redis_acl_users": [{"name": "a on nopass +@all", "role": "worker", "password": "x" * 20}],
    "celery_app": "tasks.app:app --beat; id",
    "celery_global_keyprefix": "app ~* +@all:",
    "redis_server_binary": "redis-server --requirepass x",
    "redis_save": ["900 1\nappendonly no"],
    "celery_routes": [{"match": "probe.*", "queue": "fast'}, __import__('os').system('id')"}],
    "stack_root": "/srv/x$(id)",
    "redis_acl_users ": "a key of its own",
}


def asked(stack: Stack, task: str, /, *args: Any, **options: Any) -> Any:
    """Have a task run; return its result, or raise its error."""
    return stack.publish(stack.app.signature(task, args), **options).get(timeout=10)


@pytest.mark.parametrize("name", list(BAD_NAMES))
@promise(
    "bad-value-refused",
    "A value that would leave its word or line is refused before anything is written, by its name.",
    fault="line breaks, blanks, quotes and substitutions in settings that become names and words",
    settings=("celery_queues", "celery_workers", "redis_instances", "redis_acl_users"),
    unit="values let through",
    exactly=0,
)
def test_a_value_that_would_leave_its_word_is_refused(
    run: Run, images: dict[str, str], proof: Proof, name: str
) -> None:
    said = ""
    try:
        stage(run, Variant({name: BAD_NAMES[name]}), images)
    except NotStaged as refused:
        said = str(refused)
    proof(not said, name)
    assert name.strip() in said, f"the message does not name {name}: {said}"


@pytest.mark.parametrize("image", ["redis", "worker"])
@variant(celery_environment={"NASTY": NASTY}, celery_extra_config={"database_table_names": {"task": NASTY}})
@promise(
    "text-stays-text",
    "What has to be any text arrives as it was written: in the environment and in celeryconfig.py.",
    fault="quotes, substitutions, comments and templates in a setting",
    settings=("celery_environment", "celery_extra_config"),
    unit="texts changed or run",
    exactly=0,
)
def test_text_stays_text(stack: Stack, proof: Proof, image: str) -> None:
    node = stack.worker if image == "worker" else stack.redis
    ran = node.execute("sh", "-c", f"ls {MARK} 2>/dev/null").output.strip()
    changed = 0
    if image == "worker":
        code = "import celeryconfig, json, os; print(json.dumps([os.environ['NASTY'], celeryconfig.database_table_names['task']]))"
        said = node.execute("/opt/celery/current/venv/bin/python3", "-c", code)
        changed = sum(text != NASTY for text in json.loads(said.output))
    proof(changed + bool(ran), f"in the {image}'s container")


@pytest.mark.parametrize(
    "task", ["probe.add; touch /tmp/injected", "os.system", "../tasks/app", "probe.add\nERROR forged", "__import__", ""]
)
@promise(
    "unknown-task-refused",
    "A task's name is looked up and nothing else: what nobody registered is refused, and the worker goes on.",
    fault="commands, paths and line breaks as names of tasks",
    settings=("celery_app", "celery_imports"),
    unit="names that did anything",
    exactly=0,
)
def test_the_name_of_a_task_is_only_looked_up(stack: Stack, proof: Proof, task: str) -> None:
    with pytest.raises(NotRegistered):
        asked(stack, task or "-", queue="fast")
    ran = stack.worker.execute("sh", "-c", f"ls {MARK} 2>/dev/null").output.strip()
    alive = asked(stack, "probe.add", 1, 2) == 3
    proof(bool(ran) + (not alive), repr(task))


@pytest.mark.parametrize(
    "payload", [NASTY, "\x00\x1b[31m", {"__reduce__": ["os.system", "id"]}, "x" * 500_000, [[[]]] * 1000]
)
@promise(
    "arguments-are-data",
    "Arguments of a task are data, whatever they hold: only JSON is read, nothing is unpickled.",
    fault="shell, terminal and pickle tricks in arguments",
    settings=("celery_extra_config",),
    unit="arguments changed",
    exactly=0,
)
def test_arguments_are_data(stack: Stack, proof: Proof, payload: Any) -> None:
    proof(asked(stack, "probe.echo", payload) != payload)


@promise(
    "pickle-refused",
    "A message that would have to be unpickled is not: the worker drops it and goes on.",
    fault="a task sent as pickle",
    settings=("celery_extra_config",),
    unit="pickles run",
    exactly=0,
)
def test_a_pickle_is_not_read(stack: Stack, proof: Proof) -> None:
    pickled = stack.app.signature("probe.echo", ("pickled",))
    stack.publish(pickled, serializer="pickle", queue="fast", task_id="pickled")
    assert asked(stack, "probe.add", 1, 2) == 3, "the worker goes on"
    with stack.client(user="worker") as client:
        stored = client.get("celery-task-meta-pickled")
    proof(bool(stored) and "SUCCESS" in str(stored))


@promise(
    "no-secret-shown",
    "No password stands in a command line, a log or an answer of a worker.",
    fault="whoever may list processes, read logs or inspect",
    settings=("redis_passwords",),
    unit="places",
    exactly=0,
)
def test_no_password_is_shown(stack: Stack, proof: Proof) -> None:
    host = stack.fleet.hosts[stack.redis.host.name]
    secrets = [secret.get_secret_value() for secret in host.redis.passwords.values()]
    told = {node.name: f"{node.processes()} {node.logs()}" for node in stack.nodes.values()}
    asked_of = [stack.worker.celery_name]
    told |= {
        "conf": str(stack.command("conf", asked_of, with_defaults=True)),
        "stats": str(stack.command("stats", asked_of)),
        "report": str(stack.command("report", asked_of)),
    }
    assert "worker" in told["stats"] or "broker" in told["stats"], "an answer that says nothing proves nothing"
    shown = [place for place, text in told.items() if any(secret in text for secret in secrets)]
    proof(len(shown), ", ".join(shown))
