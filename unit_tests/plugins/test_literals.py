"""Promise: no value breaks out of the place that a template gives it."""

from __future__ import annotations

import ast
import configparser
import shlex
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supervisor.datatypes import dict_of_key_value_pairs

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]))


@pytest.fixture(scope="module")
def literals(plugin: Callable[[str], ModuleType]) -> ModuleType:
    return plugin("filter/literals")


@given(value=JSON)
def test_a_python_literal_reads_back_as_the_value(literals: ModuleType, value: Any) -> None:
    assert ast.literal_eval(literals.to_python(value)) == value


def test_what_has_no_python_literal_is_refused(literals: ModuleType) -> None:
    with pytest.raises(TypeError, match="object has no Python literal"):
        literals.to_python(object())


@given(value=LINE)
def test_a_redis_value_is_one_word_and_reads_back(literals: ModuleType, value: str) -> None:
    written = literals.to_redis(value)
    # redis.conf quotes as a POSIX shell does within double quotes, for what a line can hold
    assert shlex.split(written) == [value] or written == value


@pytest.mark.parametrize(("value", "written"), [(True, "yes"), (False, "no"), ("", '""'), (5, "5")])
def test_redis_reads_yes_no_and_the_empty_value(literals: ModuleType, value: Any, written: str) -> None:
    assert literals.to_redis(value) == written


@given(value=LINE)
def test_a_supervisor_value_reads_back_or_is_refused(literals: ModuleType, value: str) -> None:
    try:
        written = literals.to_supervisor(value)
    except ValueError:
        return
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(f"[program:x]\nenvironment=A={written},B=end\n")
    expanded = parser.get("program:x", "environment") % {}
    assert dict_of_key_value_pairs(expanded) == {"A": value, "B": "end"}


@pytest.mark.parametrize("value", ["a\"b'c", "'a", 'a"', "a ;b", "a #b"])
def test_what_supervisor_cannot_carry_is_refused(literals: ModuleType, value: str) -> None:
    with pytest.raises(ValueError, match="supervisor"):
        literals.to_supervisor(value)


@given(value=LINE)
def test_a_systemd_environment_value_ends_where_it_began(literals: ModuleType, value: str) -> None:
    written = literals.to_environment(value)
    unescaped = written[1:-1].replace("\\\\", "").replace('\\"', "")
    assert written[0] == written[-1] == '"'
    assert '"' not in unescaped
