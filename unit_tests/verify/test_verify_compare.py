"""CONFIG GET and ACL GETUSER are compared with the settings in one canonical form."""

from __future__ import annotations

from typing import Any

import pytest

from settings.model.redis import RedisInstance
from verify.compare import differences, rights, rules_and_hashes

BUFFERS = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"


def instance(**options: Any) -> RedisInstance:
    """Return an instance with these options."""
    return RedisInstance.model_validate({"name": "broker", **options})


@pytest.mark.parametrize(
    ("options", "running"),
    [
        ({"maxmemory": "64mb"}, {"maxmemory": "67108864"}),
        ({"aof_load_truncated": True}, {"aof-load-truncated": "yes"}),
        ({"rdbcompression": False}, {"rdbcompression": "no"}),
        ({"bind": ["127.0.0.1", "10.0.0.5"]}, {"bind": "10.0.0.5 127.0.0.1"}),
        ({"save": ["900 1", "300 10"]}, {"save": "900 1 300 10"}),
        ({"save": []}, {"save": ""}),
        ({"client_output_buffer_limit_pubsub": "32mb 8mb 60"}, {"client-output-buffer-limit": BUFFERS}),
        ({"tls_port": 6380, "tls_protocols": "TLSv1.3 TLSv1.2"}, {"tls-protocols": "TLSv1.2 TLSv1.3"}),
    ],
)
def test_same_value_in_another_notation_is_no_difference(options: dict[str, Any], running: dict[str, str]) -> None:
    assert differences(instance(**options), running) == ([], 1)


@pytest.mark.parametrize(
    ("options", "running", "field", "found"),
    [
        ({"maxmemory": "64mb"}, {"maxmemory": "0"}, "maxmemory", "0"),
        ({"save": ["900 1"]}, {"save": "1 900"}, "save", "1 900"),
        ({"save": []}, {"save": "3600 1"}, "save", "3600 1"),
        ({"protected_mode": True}, {"protected-mode": "no"}, "protected_mode", "no"),
        (
            {"client_output_buffer_limit_pubsub": "1mb 1mb 1"},
            {"client-output-buffer-limit": BUFFERS},
            "client_output_buffer_limit_pubsub",
            "33554432 8388608 60",
        ),
    ],
)
def test_other_value_is_a_difference(options: dict[str, Any], running: dict[str, str], field: str, found: str) -> None:
    (difference,), compared = differences(instance(**options), running)
    assert (difference.field, difference.found, compared) == (field, found, 1)


def test_option_that_an_old_server_lacks_is_left_out() -> None:
    assert differences(instance(), {}) == ([], 0)


def test_options_with_rows_of_their_own_are_left_out() -> None:
    running = {"appendonly": "no", "maxmemory-policy": "allkeys-lru", "replicaof": "10.0.0.9 6379"}
    assert differences(instance(), running, skip=frozenset({"replicaof"})) == ([], 0)


def test_tls_is_compared_only_where_it_is_on() -> None:
    assert differences(instance(), {"tls-auth-clients": "no"}) == ([], 0)
    found, _ = differences(instance(tls_port=6380), {"tls-auth-clients": "no"})
    assert found[0].field == "tls_auth_clients"


OLD = ["flags", ["on"], "passwords", ["ab"], "commands", "-@all +ping", "keys", ["fast", "slow"], "channels", ["/0.x"]]
NEW = [
    "flags",
    ["on", "sanitize-payload"],
    "passwords",
    ["ab"],
    "commands",
    "-@all +ping",
    "keys",
    "~slow ~fast",
    "channels",
    "&/0.x",
    "selectors",
    [],
]


def test_rights_are_the_same_in_the_notations_of_6_and_7() -> None:
    assert rights(OLD) == rights(NEW)


def test_rights_differ_by_command_key_and_password() -> None:
    for position, value in ((5, "-@all +ping +get"), (7, ["fast"]), (3, ["cd"])):
        changed = [*OLD[:position], value, *OLD[position + 1 :]]
        assert rights(changed) != rights(OLD)


def test_read_only_key_is_another_right_than_the_key() -> None:
    assert rights(["keys", "%R~fast"]) != rights(["keys", "~fast"])


def test_line_of_an_acl_file_is_taken_apart() -> None:
    rules, hashes, enabled = rules_and_hashes("user worker on #ab #cd resetkeys ~fast -@all +ping")
    assert rules == ["resetkeys", "~fast", "-@all", "+ping"]
    assert hashes == {"ab", "cd"}
    assert enabled
    assert not rules_and_hashes("user default off -@all")[2]
