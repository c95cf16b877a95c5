"""Values are read as Redis, YAML and a person mean them; what is ambiguous is refused with what to write instead."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from settings import types
from settings.parsing import human_bytes, parse_bytes

LARGEST = 2**63 - 1
RELAXED = settings(deadline=None, derandomize=True)


@settings(RELAXED)
@given(st.integers(0, LARGEST))
def test_a_size_is_written_as_it_is_read(size: int) -> None:
    assert parse_bytes(human_bytes(size)) == size
    assert parse_bytes(size) == parse_bytes(str(size)) == size


@settings(RELAXED)
@given(
    st.integers(0, 2**30),
    st.sampled_from([("b", 1), ("k", 1000), ("kb", 1024), ("m", 10**6), ("mb", 2**20), ("g", 10**9), ("gb", 2**30)]),
)
def test_a_unit_is_that_of_redis_in_upper_and_lower_case(number: int, unit: tuple[str, int]) -> None:
    name, factor = unit
    assert {parse_bytes(f"{number}{said}") for said in (name, name.upper(), name.title())} == {number * factor}


@settings(RELAXED)
@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none(), st.binary(), st.lists(st.integers())))
def test_a_size_is_read_or_refused_with_what_to_write(value: Any) -> None:
    size, fix = attempt(value)
    assert (size is None) == fix.startswith("write ")
    assert size is None or 0 <= size <= LARGEST


def attempt(value: Any) -> tuple[int | None, str]:
    """Return the size, or what the refusal says to write."""
    try:
        return parse_bytes(value), ""
    except PydanticCustomError as refused:
        return None, str((refused.context or {}).get("fix"))


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        ("0.5gb", "write 512mb"),
        ("1.5g", "write 1464844kb"),
        ("0.0001kb", "write it like 512mb"),
        ("512 MB", "write 512mb"),
        (" 512mb", "write 512mb"),
        ("512mib", "write 512mb"),
        ("512Mi", "write 512mb"),
        (-1, "write 1"),
        ("-5mb", "write 5mb"),
        ("512tb", "write 512mb"),
        ("50%", "write it like 512mb"),
        (True, "write it like 512mb"),
        ("", "write it like 512mb"),
        ("\uff15\uff11\uff12mb", "write it like 512mb"),
        (10**400, "write it like 512mb"),
        ("9" * 5000, "write it like 512mb"),
        (float("nan"), "write it like 512mb"),
        (1.5, "write it like 512mb"),
    ],
)
def test_a_size_that_is_written_wrong_is_told_how_to_write_it(value: Any, fix: str) -> None:
    assert attempt(value) == (None, fix)


def read(kind: str, value: Any) -> Any:
    """Read a value as a type of settings.types."""
    return TypeAdapter(getattr(types, kind)).validate_python(value)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("Flag", "yes", True),
        ("Flag", "False", False),
        ("Flag", True, True),
        ("Whole", "6380", 6380),
        ("Whole", 0, 0),
        ("Whole", 12.0, 12),
        ("Seconds", "12.5", 12.5),
        ("Seconds", 0.5, 0.5),
        ("Integer", -1, -1),
        ("Port", 65535, 65535),
        ("PortOrOff", 0, 0),
        ("Text", 5, "5"),
        ("Day", "2026-12-31", datetime.date(2026, 12, 31)),
        ("Day", datetime.date(2026, 12, 31), datetime.date(2026, 12, 31)),
        ("Json", {"a": [1, None, "b", {"c": 1.5}]}, {"a": [1, None, "b", {"c": 1.5}]}),
        ("Json", {1: "x"}, {"1": "x"}),
        ("BufferLimit", "32mb 8MB 60", "33554432 8388608 60"),
        ("HostAndPort", "", ""),
        ("HostAndPort", "10.0.0.5 6379", "10.0.0.5 6379"),
        ("KeyPrefix", "shop:", "shop:"),
        ("BindAddress", "-::*", "-::*"),
        ("PathOrEmpty", "/srv/.stack/a..b", "/srv/.stack/a..b"),
        ("TaskPattern", "celery.*", "celery.*"),
        ("Network", "10.0.0.5", "10.0.0.5"),
        ("Network", "10.0.0.0/8", "10.0.0.0/8"),
        ("Network", "FD00:0::/8", "fd00::/8"),
        ("UnitLine", "SystemCallFilter=~@clock %n", "SystemCallFilter=~@clock %n"),
        ("UnitLine", "MemoryDenyWriteExecute=", "MemoryDenyWriteExecute="),
    ],
)
def test_what_is_right_is_read(kind: str, value: Any, expected: Any) -> None:
    assert read(kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value", "fix"),
    [
        ("Json", 10**400, "write a smaller one"),
        ("Json", float("nan"), "write a smaller one"),
        ("Json", float("-inf"), "write a smaller one"),
        ("Network", "worker.example.com", "write it like 10.0.0.5 or 10.0.0.0/24"),
        ("Network", "10.0.0.5/8", "write 10.0.0.0/8"),
        ("Network", "10.0.0.0/33", "write it like 10.0.0.5 or 10.0.0.0/24"),
        ("UnitLine", "ProtectHome", "write it like ProtectHome=read-only"),
        ("UnitLine", "ProtectHomes=no", "write ProtectHome"),
        ("UnitLine", "privateusers=no", "write PrivateUsers"),
        ("UnitLine", "Nonsense=no", "see settings/units.py for those that may be written"),
        ("UnitLine", "User=root", "set celery_user, or redis_user"),
        ("UnitLine", "ReadWritePaths=/srv \\", "delete the backslash"),
        ("UnitLine", "UMask=0077\nUser=root", "write it on one line"),
        ("Flag", 1, "write true"),
        ("Flag", "0", "write false"),
        ("Flag", "maybe", "write true or false"),
        ("Flag", None, "write true or false"),
        ("Whole", True, "write digits"),
        ("Whole", "60s", "write 60, the seconds"),
        ("Whole", "5m", "write 300, the seconds"),
        ("Whole", "2 h", "write 7200, the seconds"),
        ("Whole", "50%", "write 50"),
        ("Whole", "6_380", "write digits"),
        ("Whole", 1.5, "write 2"),
        ("Whole", float("inf"), "write digits"),
        ("Whole", -1, "write 0 or more"),
        ("Whole", 10**400, "write less"),
        ("Whole", "9" * 5000, "write digits"),
        ("Positive", 0, "write 1 or more"),
        ("Port", 65536, "write less"),
        ("Seconds", float("nan"), "write digits"),
        ("Seconds", "1e3", "write digits"),
        ("Seconds", 10**10, "write less"),
        ("Text", False, 'put quotes around it: "no"'),
        ("Text", True, 'put quotes around it: "yes"'),
        ("Text", 7.1, 'put quotes around it: "7.1"'),
        ("Text", "a\nb", "write it on one line"),
        ("Text", "a\u2028b", "write it on one line"),
        ("Text", 10**400, "write text, in quotes where YAML would read something else"),
        ("Secret", 123456, "put quotes around it"),
        ("Secret", "", "run `make secrets ENV=...`, or delete the line"),
        ("Secret", "with space", "run `make secrets ENV=...`"),
        ("Day", 20261231, 'write it like "2026-12-31"'),
        ("Day", "31.12.2026", 'write it like "2026-12-31"'),
        ("Day", datetime.datetime(2026, 12, 31, tzinfo=datetime.UTC), 'write it like "2026-12-31"'),
        ("Json", {"a": float("inf")}, "write a smaller one"),
        ("Json", [b"a"], "write it as text, in quotes"),
        ("Json", "\ud800", "save the file as UTF-8"),
        ("HostAndPort", "10.0.0.5 70000", 'write it like "10.0.0.5 6379"'),
        ("PathOrEmpty", "/srv/../etc", "write it like /srv/stack, or leave it empty"),
        ("PathOrEmpty", "/srv/", "write it like /srv/stack, or leave it empty"),
        ("PathOrEmpty", "/srv/$HOME", "write it like /srv/stack, or leave it empty"),
        ("Command", "rm -rf", "write it like /usr/bin/python3"),
        ("Command", "-x", "write it like /usr/bin/python3"),
        ("BindAddress", "a b", "write it like 10.0.0.5"),
        ("AddressOrEmpty", "*", "write it like 10.0.0.5"),
        ("ManagedUrl", "rediss://h:port", "write rediss://user:password@host:port/db"),
        ("ManagedUrl", "rediss://[::1", "write rediss://user:password@host:port/db"),
        ("ManagedUrl", "rediss:///0", "write rediss://user:password@host:port/db"),
        ("ManagedUrl", "redis://h/queue", "write rediss://user:password@host:port/db"),
    ],
)
def test_what_is_wrong_is_refused_with_what_to_write(kind: str, value: Any, fix: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    (error,) = caught.value.errors()
    assert error["ctx"]["fix"] == fix


def test_a_deep_json_value_is_refused() -> None:
    deep: Any = []
    for _ in range(30):
        deep = [deep]
    with pytest.raises(ValidationError, match="levels deep"):
        read("Json", deep)


@pytest.mark.parametrize("kind", ["Secret", "ManagedUrl"])
def test_a_secret_shows_itself_to_nobody(kind: str) -> None:
    value = "rediss://app:hunter2@192.0.2.1:6380/0"
    secret = read(kind, value)
    assert "hunter2" not in repr(secret) + str(secret)
    assert secret.get_secret_value() == value
