"""What is generated says what the model says, and has not drifted from it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from settings.describe import described
from settings.generate import ROLES, drifted, products, write_all
from settings.generate.human import default_of, flow, human, items_of, parts_of, type_name
from settings.loader import build
from settings.model import SECTIONS
from settings.model.celery import CeleryConfig, Worker
from settings.model.redis import RedisOptions
from settings.model.sentinel import Sentinel
from settings.names import KNOWN
from settings.rules import RULES
from unit_tests.settings.fleets import raw_fleet

REPOSITORY = Path(__file__).resolve().parents[2]
PRODUCTS = products()


def every_field() -> Iterator[tuple[str, FieldInfo]]:
    """Yield every setting and every key of an entry, by its documented name."""
    for section in SECTIONS:
        for name, field in section.model_fields.items():
            yield section.variable(name), field
        for name, model in items_of(section.prefix, section):
            yield from ((f"{name}[].{key}", field) for key, field in model.model_fields.items())


FIELDS = dict(every_field())


def test_no_generated_file_has_drifted() -> None:
    assert drifted() == [], "run `make generate`"


def test_a_changed_or_missing_file_is_found_and_written_again(tmp_path: Path) -> None:
    assert len(drifted(tmp_path)) == len(PRODUCTS)
    assert len(write_all(tmp_path)) == len(PRODUCTS)
    assert drifted(tmp_path) == []
    changed, missing = tmp_path / "docs/rules.md", tmp_path / "roles/redis/defaults/main.yml"
    changed.write_text("by hand")
    missing.unlink()
    assert set(drifted(tmp_path)) == {changed, missing}
    assert set(write_all(tmp_path)) == {changed, missing}
    assert write_all(tmp_path) == []


def test_generating_twice_gives_the_same() -> None:
    assert products() == PRODUCTS


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_has_a_sentence_and_a_readable_type(name: str) -> None:
    field = FIELDS[name]
    assert field.description
    assert field.description.endswith(".")
    assert type_name(field.annotation, field.metadata, link="x")
    described(field)


@pytest.mark.parametrize("name", FIELDS)
def test_a_bound_of_a_setting_is_not_lost_behind_one_of_its_type(name: str) -> None:
    # pydantic lets the type's own bound overrule the field's, silently
    attached = parts_of(FIELDS[name].annotation, FIELDS[name].metadata)[1]
    for kind in (Ge, Gt, Le, Lt):
        assert sum(isinstance(part, kind) for part in attached) <= 1


@pytest.mark.parametrize("model", [RedisOptions, CeleryConfig, Sentinel], ids=lambda model: model.__name__)
def test_what_is_told_to_redis_and_celery_has_a_source(model: type[BaseModel]) -> None:
    without = [name for name, field in model.model_fields.items() if not described(field).source and name != "password"]
    assert without == []


def test_every_setting_and_rule_is_documented() -> None:
    settings, rules = PRODUCTS["docs/settings.md"], PRODUCTS["docs/rules.md"]
    for name in KNOWN:
        assert f"| `{name}` |" in settings
    for section in SECTIONS:
        for name, model in items_of(section.prefix, section):
            heading = settings.split(f"### {name}\n")[1].split("\n#")[0]
            own = [key for key in model.model_fields if key not in RedisOptions.model_fields or model is Worker]
            assert all(f"| `{key}` |" in heading for key in own)
    for rule in RULES:
        assert f"### {rule.id}\n" in rules
        assert rule.why in rules


def test_tables_have_as_many_cells_in_every_row() -> None:
    rows = [line for line in PRODUCTS["docs/settings.md"].splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_links_in_settings_lead_to_headings() -> None:
    text = PRODUCTS["docs/settings.md"]
    headings = set(re.findall(r"^#+ (\S+)", text, flags=re.MULTILINE))
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


@pytest.mark.parametrize("path", [path for path in PRODUCTS if path.endswith(".yml")])
def test_generated_yaml_is_yaml_of_120_columns(path: str) -> None:
    text = PRODUCTS[path]
    assert yaml.safe_load(text)
    assert max(len(line) for line in text.splitlines() if "http" not in line) <= 120
    assert "\t" not in text
    assert text.endswith("\n")
    assert "do not edit" in text.splitlines()[0]


def test_sizes_are_written_as_people_write_them() -> None:
    defaults = yaml.safe_load(PRODUCTS["roles/redis/defaults/main.yml"])
    assert defaults["redis_maxmemory"] == "256mb"
    assert defaults["redis_appendonly"] is True
    assert defaults["redis_tls_auth_clients"] == "yes"
    assert defaults["redis_instances"] == [{"name": "broker"}]


def test_no_secret_and_no_empty_setting_has_a_default() -> None:
    for role in ROLES:
        defaults = yaml.safe_load(PRODUCTS[f"roles/{role}/defaults/main.yml"])
        for name, value in defaults.items():
            section, field = KNOWN[name]
            assert not described(section.model_fields[field]).secret
            assert value is not None
    assert "# redis_passwords:" in PRODUCTS["roles/redis/defaults/main.yml"]


def test_the_defaults_of_all_roles_are_those_of_the_model() -> None:
    said: dict[str, Any] = {}
    for role in ROLES:
        said.update(yaml.safe_load(PRODUCTS[f"roles/{role}/defaults/main.yml"]))
    written = build(*raw_fleet(said)).fleet.hosts["one"]
    silent = build(*raw_fleet({})).fleet.hosts["one"]
    for section in ("stack", "host", "redis", "sentinel", "celery"):
        assert getattr(written, section).model_dump() == getattr(silent, section).model_dump()


def test_flow_writes_what_yaml_reads() -> None:
    for value in (
        "no",
        "7.0",
        "a: b",
        "- x",
        "",
        "null",
        "256mb",
        "a, b",
        "x #y",
        "é",
        "1:30",
        "{a}",
        " x",
        [1, "no"],
        {"a": [True]},
    ):
        assert yaml.safe_load(flow(value)) == value


def test_a_default_is_readable_by_the_loader() -> None:
    for section in SECTIONS:
        for name, field in section.model_fields.items():
            default = default_of(field)
            if default is not None and not described(field).secret:
                read = section.model_validate({name: default})
                expected = field.get_default(call_default_factory=True)
                assert human(getattr(read, name), field.annotation, field.metadata) == human(
                    expected, field.annotation, field.metadata
                )


def options_of(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, option in spec.items():
        yield name, option
        yield from options_of(option.get("options", {}))


@pytest.mark.parametrize("role", ROLES)
def test_argument_specs_name_every_variable_and_hide_secrets(role: str) -> None:
    spec = yaml.safe_load(PRODUCTS[f"roles/{role}/meta/argument_specs.yml"])["argument_specs"]["main"]
    assert set(spec["options"]) == {section.variable(name) for section in ROLES[role] for name in section.model_fields}
    for name, option in options_of(spec["options"]):
        assert option["type"] in {"str", "int", "float", "bool", "list", "dict", "raw"}
        assert option["description"]
        assert ("password" in name) <= bool(option.get("no_log"))
        assert (option["type"] == "list") == ("elements" in option)
        assert all(isinstance(choice, str) for choice in option.get("choices", []))


PLAY = """\
- hosts: all
  gather_facts: false
  roles: [host, redis, sentinel, celery]
"""
SAID = {
    "redis_maxmemory": 1073741824,
    "redis_repl_backlog_size": "32mb",
    "redis_appendfsync": "no",
    "redis_save": [],
    "redis_password": None,
    "redis_port": "6380",
    "redis_instances": [{"name": "broker", "maxmemory": 5}, {"name": "cache", "purpose": "cache", "port": 6381}],
    "redis_acl_users": [{"name": "shop", "role": "producer", "password": "hunter2hunter2"}],
    "celery_task_time_limit": 12.5,
    "celery_task_default_priority": None,
    "celery_workers": [{"name": "a", "queues": ["celery"], "autoscale": [3, 1], "time_limit": 0, "memory_max": "1gb"}],
    "celery_beat_schedule": [{"name": "b", "task": "c", "every": 5, "args": [1, "x", {"y": None}]}],
    "celery_environment": {"A": "b"},
    "accepted_risks": [{"id": "late-acks", "reason": "it is a test", "until": "2027-01-31"}],
}


@pytest.fixture(scope="module")
def playbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a play of all roles, each reduced to its argument_specs."""
    folder = tmp_path_factory.mktemp("play")
    write_all(folder)
    for role in ROLES:
        tasks = folder / "roles" / role / "tasks"
        tasks.mkdir()
        (tasks / "main.yml").write_text("- ansible.builtin.meta: noop\n")
    (folder / "play.yml").write_text(PLAY)
    return folder


def played(folder: Path, said: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    program = shutil.which("ansible-playbook", path=str(Path(sys.executable).parent)) or "ansible-playbook"
    (folder / "said.json").write_text(json.dumps(said))
    command = [program, "--inventory", "one,", "--connection", "local", "--extra-vars", "@said.json", "play.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_ansible_takes_what_the_settings_take(playbook: Path) -> None:
    ended = played(playbook, SAID)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_ansible_refuses_a_misspelt_key_of_a_worker_and_prints_no_secret(playbook: Path) -> None:
    wrong = {**SAID, "redis_acl_users": [{"name": "shop", "rol": "producer", "password": "hunter2hunter2"}]}
    ended = played(playbook, wrong)
    assert ended.returncode != 0
    assert "rol" in ended.stdout
    assert "hunter2" not in ended.stdout + ended.stderr
