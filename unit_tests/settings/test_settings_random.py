"""Whatever an inventory says, it is loaded or refused: validate never crashes, and prints no secret."""

from __future__ import annotations

import contextlib
import datetime
import json
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from settings.generate.human import item_of, kind_of, parts_of
from settings.loader import Loaded, build, load
from settings.model import SECTIONS
from settings.names import KNOWN
from settings.problem import InventoryRefused
from settings.resolved import resolve_all
from unit_tests.settings.fleets import BASE_HOSTS, PASSWORDS, raw_fleet

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = "hunter2hunter2hunter2"

# -- anything that YAML can say
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=20),
    st.text(st.characters(codec=None), max_size=5),
    st.binary(max_size=5),
    st.dates(),
    st.datetimes(timezones=st.just(datetime.UTC)),
    st.sampled_from(["no", "512mb", "0.5gb", "1:30", "{{ x }}", "", " ", "\x00", "-", "*", "9" * 5000, 10**400]),
)
KEYS = st.one_of(
    st.text(max_size=8), st.integers(), st.none(), st.booleans(), st.sampled_from(["name", "queues", "pool"])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
NAMES = st.one_of(
    st.sampled_from(sorted(KNOWN)),
    st.sampled_from(sorted(KNOWN)).map(lambda name: name[:-1]),
    st.sampled_from(["redis_", "celery_x", "Redis-Port", "redi_port", "stack_stage_root", "host_", "ansible_host"]),
    st.from_regex(r"(redis|celery|sentinel|host|firewall|stack)_[a-z_]{1,12}", fullmatch=True),
)
SOME_HOSTS = st.dictionaries(
    st.sampled_from(["one", "two", "three"]),
    st.fixed_dictionaries(
        {
            "groups": st.lists(
                st.sampled_from(["redis", "celery", "beat", "flower", "sentinel", "web"]), unique=True, max_size=5
            )
        }
    ),
    min_size=1,
)
HOSTS = st.one_of(st.just(BASE_HOSTS), SOME_HOSTS)


def judged(case: dict[str, Any]) -> Loaded | InventoryRefused:
    """Judge a case as `make validate` does; both answers can be printed and written as JSON."""
    answer: Loaded | InventoryRefused
    try:
        answer = build(*raw_fleet(case))
    except InventoryRefused as refused:
        answer = refused
    problems = answer.problems if isinstance(answer, InventoryRefused) else answer.findings
    for problem in problems:
        problem.as_text().encode("utf-8")
        json.dumps(problem.as_dict()).encode("ascii")
        assert problem.message
        assert problem.fix
    return answer


@pytest.fixture(autouse=True)
def _in_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


RELAXED = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@settings(RELAXED, max_examples=250)
@given(said=st.dictionaries(NAMES, ANYTHING, max_size=8), hosts=HOSTS)
def test_any_value_of_any_variable_is_loaded_or_refused(said: dict[str, Any], hosts: dict[str, Any]) -> None:
    judged({**said, "hosts": hosts})


@settings(RELAXED, max_examples=150)
@given(
    name=st.sampled_from(sorted(KNOWN)),
    secret=st.sampled_from([SECRET, [SECRET], {SECRET: SECRET}, {"password": SECRET}]),
)
def test_a_secret_in_the_wrong_shape_is_never_printed(name: str, secret: Any) -> None:
    wrapped = {
        "redis_passwords": {**PASSWORDS, "worker": SECRET},
        "celery_secret_environment": {"TOKEN": SECRET},
        name: secret,
    }
    answer = judged(wrapped)
    problems = answer.problems if isinstance(answer, InventoryRefused) else answer.findings
    # a text that is a secret of the inventory is masked wherever else it turns up
    assert all(
        SECRET not in problem.value + problem.message for problem in problems if name not in ("redis_passwords",)
    )


# -- what is right for each setting, as far as its type says
def _right(annotation: Any, metadata: Any = ()) -> st.SearchStrategy[Any]:
    plain, attached = parts_of(annotation, metadata)
    kind = kind_of(plain, attached)
    if get_origin(plain) is list:
        inner = get_args(plain)[0]
        return st.lists(_entry(inner) if _is_model(inner) else _right(inner), min_size=1, max_size=3)
    if get_origin(plain) is dict:
        return st.dictionaries(_right(get_args(plain)[0]), _right(get_args(plain)[1]), max_size=2)
    if get_args(plain):
        return st.sampled_from(get_args(plain))
    if plain is bool:
        return st.booleans()
    assert kind is not None
    return BY_KIND[kind.name]


BY_KIND: dict[str, st.SearchStrategy[Any]] = {
    "size": st.one_of(st.integers(0, 2**40), st.integers(1, 4096).map(lambda size: f"{size}mb")),
    "whole number": st.one_of(st.integers(0, 20), st.integers(0, 100_000)),
    "number": st.one_of(st.integers(0, 600), st.floats(0, 600)),
    "priority": st.integers(0, 12),
    "port": st.integers(1, 65535),
    "port, or 0": st.one_of(st.just(0), st.integers(1, 65535)),
    "day": st.dates(),
    "anything JSON carries": st.one_of(st.none(), st.booleans(), st.integers(0, 9), st.text("ab", max_size=3)),
    "text": st.sampled_from(["tasks", "UTC", "Europe/Berlin", "late-acks", "a long enough reason", "0 5 * * *", ""]),
    "secret": st.sampled_from(["0123456789abcdef", "short", SECRET]),
    "secret URL": st.sampled_from(["", "rediss://app:x@192.0.2.1:6380/0", "redis://127.0.0.1"]),
    "name": st.sampled_from(["broker", "default", "a", "results", "worker"]),
    "queue's name": st.sampled_from(["celery", "fast", "slow"]),
    "task's name": st.sampled_from(["probe.add", "probe.heartbeat", "nothing"]),
    "task's name or pattern": st.sampled_from(["probe.*", "probe.add", "prob?", "*", "[a]*"]),
    "Python name": st.sampled_from(["tasks.app:app", "tasks.probe", "shop.app"]),
    "user's name": st.sampled_from(["redis", "celery", "worker"]),
    "program": st.sampled_from(["python3", "/usr/bin/python3.13"]),
    "directory": st.sampled_from(["/var/backups/redis", "/var/lib/redis/broker"]),
    "private key": st.just("-----BEGIN OPENSSH PRIVATE KEY-----\nQUJD\n-----END OPENSSH PRIVATE KEY-----"),
    "time of day": st.sampled_from(["02:30", "23:59"]),
    "directory, or user@host:/directory": st.sampled_from(["", "/mnt/backups", "backup@192.0.2.31:/srv/backups"]),
    "path": st.sampled_from(["", "/srv/stack", "/etc/tls/ca.crt"]),
    "address": st.sampled_from(["127.0.0.1", "10.0.0.1", "*", "::1", "broker.example.com"]),
    "version": st.sampled_from(["6.0", "6.2", "7.0", "8.0.2"]),
    "TLS versions": st.sampled_from(["TLSv1.2", "TLSv1 TLSv1.3"]),
    "release": st.sampled_from(["", "0123456789ab"]),
    "rate": st.sampled_from(["10/s", "100/m"]),
    "prefix": st.sampled_from(["", "shop:"]),
    "variable's name": st.sampled_from(["LOG_FORMAT", "API_TOKEN"]),
    "argument's name": st.sampled_from(["a", "b"]),
    "Celery's key": st.sampled_from(
        ["task_compression", "broker_url", "task_always_eager", "accept_content", "nothing"]
    ),
    "seconds and changes": st.sampled_from(["900 1", "60 1000"]),
    "host and port": st.sampled_from(["", "10.0.0.1 6379", "one 6379", "127.0.0.1 6380"]),
    "line of a systemd unit": st.sampled_from(["ProtectHome=read-only", "PrivateNetwork=yes"]),
    "address or network": st.sampled_from(["10.0.0.5", "10.0.0.0/8", "fd00::/8", "0.0.0.0/0"]),
    "hard soft seconds": st.sampled_from(["32mb 8mb 60", "0 0 0"]),
}


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _entry(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    required = {name: _field(field) for name, field in model.model_fields.items() if field.is_required()}
    optional = {name: _field(field) for name, field in model.model_fields.items() if not field.is_required()}
    return st.fixed_dictionaries(required, optional={name: optional[name] for name in sorted(optional)[:6]})


def _field(field: FieldInfo) -> st.SearchStrategy[Any]:
    item = item_of(field)
    return st.lists(_entry(item), min_size=1, max_size=3) if item else _right(field.annotation, field.metadata)


RIGHT = {section.variable(name): _field(field) for section in SECTIONS for name, field in section.model_fields.items()}


@settings(RELAXED, max_examples=250)
@given(data=st.data(), names=st.lists(st.sampled_from(sorted(RIGHT)), max_size=6, unique=True), hosts=HOSTS)
def test_what_is_well_formed_is_judged_by_every_rule_and_resolved(
    data: st.DataObject, names: list[str], hosts: dict[str, Any]
) -> None:
    said = {name: data.draw(RIGHT[name], label=name) for name in names}
    answer = judged({**said, "hosts": hosts})
    if isinstance(answer, Loaded):
        json.dumps(resolve_all(answer.fleet))


@settings(RELAXED, max_examples=40)
@given(said=st.dictionaries(NAMES, ANYTHING, max_size=4))
def test_any_file_of_variables_is_loaded_or_refused(
    said: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("random")
    (folder / "hosts.yml").symlink_to(REPOSITORY / "unit_tests/settings/broken/base.yml")
    (folder / "group_vars").mkdir()
    text = yaml.safe_dump(said)
    (folder / "group_vars" / "all.yml").write_text(text, encoding="utf-8", errors="surrogatepass")
    with contextlib.suppress(InventoryRefused):
        load(folder)


@settings(RELAXED, max_examples=150)
@given(
    content=st.one_of(
        st.text(max_size=60), st.text("redis_port: {}[]&*!|>'\"\n\t-#%@`,?", max_size=60), st.binary(max_size=60)
    )
)
def test_any_bytes_in_a_file_are_loaded_or_refused(
    content: str | bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    (folder / "hosts.yml").symlink_to(REPOSITORY / "unit_tests/settings/broken/base.yml")
    (folder / "group_vars").mkdir()
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    (folder / "group_vars" / "all.yml").write_bytes(raw)
    with contextlib.suppress(InventoryRefused):
        load(folder)


FRAGMENTS = st.sampled_from(
    [
        "redis_port: ",
        "redis_bind: ",
        "celery_workers:\n",
        "  - ",
        "name: ",
        "[",
        "]",
        "{",
        "}",
        "&a ",
        "*a",
        "!!int ",
        "!!bool ",
        "!vault |\n",
        '"',
        "'",
        "|\n",
        "\n",
        "  ",
        "\t",
        "#",
        "{{ ",
        "}}",
        "{% ",
        "no",
        "~",
        "<<: ",
        "? ",
        ": ",
        "1:30",
        "2026-13-02",
        ".inf",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "$ANSIBLE_VAULT;1.1;AES256\n",
        "\x85",
        "\ufeff",
        "5",
    ]
)


@settings(RELAXED, max_examples=120)
@given(
    fragments=st.lists(FRAGMENTS, max_size=12),
    name=st.sampled_from(["group_vars/all.yml", "more.yml", "more.json", "more.ini", "more"]),
)
def test_any_pieces_of_yaml_in_any_file_are_loaded_or_refused(
    fragments: list[str], name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    (folder / "hosts.yml").symlink_to(REPOSITORY / "unit_tests/settings/broken/base.yml")
    (folder / "group_vars").mkdir()
    (folder / name).write_text("".join(fragments), encoding="utf-8")
    with contextlib.suppress(InventoryRefused):
        load(folder)
