"""Promise: a running Redis is told exactly what its file says differently."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def redis_live(plugin: Callable[[str], ModuleType]) -> ModuleType:
    return plugin("modules/redis_live")


def test_directives_are_read_without_comments_and_quotes(redis_live: ModuleType) -> None:
    text = '# a comment\n\nmaxmemory 1024\nlogfile ""\nbind 127.0.0.1 ::1\n'
    assert redis_live.directives(text) == {"maxmemory": "1024", "logfile": "", "bind": "127.0.0.1 ::1"}


def test_repeated_directives_are_joined_as_config_get_shows_them(redis_live: ModuleType) -> None:
    assert redis_live.directives("save 900 1\nsave 300 10\n") == {"save": "900 1 300 10"}


@pytest.mark.parametrize(
    ("name", "wanted", "has", "same"),
    [
        ("maxmemory", "1024", "1024", True),
        ("maxmemory", "1024", "2048", False),
        (
            "client-output-buffer-limit",
            "pubsub 1 2 3",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 1 2 3",
            True,
        ),
        ("client-output-buffer-limit", "pubsub 1 2 3", "normal 0 0 0 slave 0 0 0 pubsub 9 2 3", False),
    ],
)
def test_config_get_is_compared_by_meaning(
    redis_live: ModuleType, name: str, wanted: str, has: str, same: bool
) -> None:
    assert redis_live.same(name, wanted, has) is same


class AnsweringClient:
    """Answers CONFIG GET * with a fixed configuration."""

    def __init__(self, answer: dict[str, str]) -> None:
        self.answer = "\n".join(part for pair in answer.items() for part in pair)

    def call(self, *words: str) -> str:
        assert words == ("CONFIG", "GET", "*")
        return self.answer


def test_only_what_differs_is_changed_and_what_the_server_lacks_is_left_out(redis_live: ModuleType) -> None:
    client = AnsweringClient({"maxmemory": "1024", "appendonly": "no", "logfile": ""})
    wanted = {"maxmemory": "1024", "appendonly": "yes", "logfile": "", "newer-than-the-server": "1", "replicaof": "a 1"}
    assert redis_live.config_changes(client, wanted) == {"appendonly": ("no", "yes")}
