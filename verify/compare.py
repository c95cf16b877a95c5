"""Comparing what a Redis says with what the settings say, in one canonical form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from settings.model.redis import RedisInstance, RedisOptions
from settings.types import parse_bytes

# Options of the service, not of redis.conf, and those with a row of their own.
NOT_IN_CONFIG = {"memory_max", "limit_nofile"}
OWN_ROW = {"appendonly", "maxmemory_policy"}
# CONFIG GET tells the limits of all classes of clients under one name.
OUTPUT_BUFFER = "client-output-buffer-limit"
TRUE = {True: "yes", False: "no"}


@dataclass(frozen=True)
class Difference:
    """An option whose running value is not the one of the settings."""

    option: str  # Redis' name
    field: str  # the settings' name
    due: str
    found: str


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return TRUE[value]
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def _buffer_limit(value: str) -> str:
    hard, soft, seconds = value.split()
    return f"{parse_bytes(hard)} {parse_bytes(soft)} {seconds}"


def _buffer_of(classes: str, name: str) -> str:
    """Take one class out of "normal 0 0 0 slave … pubsub 33554432 8388608 60"."""
    words = classes.split()
    return " ".join(words[words.index(name) + 1 :][:3]) if name in words else ""


def _words(value: str) -> tuple[str, ...]:
    return tuple(sorted(value.split()))


def differences(
    instance: RedisInstance, running: Mapping[str, str], *, skip: frozenset[str] = frozenset()
) -> tuple[list[Difference], int]:
    """Compare an instance with what CONFIG GET * says.

    Args:
        instance: as the settings describe it.
        running: option → value.
        skip: fields that are not compared, for instance those that Sentinel may change.

    Returns:
        The differences, and how many options were compared. What the server does not know (an older one, or one
        without TLS) is left out.
    """
    found: list[Difference] = []
    compared = 0
    for field in RedisOptions.model_fields:
        if field in NOT_IN_CONFIG | OWN_ROW | skip or (field.startswith("tls_") and not instance.tls_port):
            continue
        option, value = field.replace("_", "-"), getattr(instance, field)
        if field == "client_output_buffer_limit_pubsub":
            option, due, said = (
                OUTPUT_BUFFER,
                _buffer_limit(value),
                _buffer_of(running.get(OUTPUT_BUFFER, ""), "pubsub"),
            )
        else:
            due, said = _text(value), running.get(option, "")
        if option not in running:
            continue
        compared += 1
        # an order of addresses or protocols means nothing, that of seconds and changes does
        same = _words(due) == _words(said) if field in ("bind", "tls_protocols") else due.split() == said.split()
        if not same:
            found.append(Difference(option, field, due, said))
    return found, compared


@dataclass(frozen=True)
class Rights:
    """What a user of Redis may do, as ACL GETUSER tells it."""

    flags: frozenset[str]
    passwords: frozenset[str]
    rules: tuple[str, ...]  # commands, keys, channels, selectors


def _joined(value: Any) -> str:
    """Redis 6.2 lists keys and channels, 7.0 writes them in a line; 6.2 leaves out the marks."""
    if isinstance(value, list | tuple):
        return " ".join(sorted(str(entry).lstrip("~&") for entry in value))
    return " ".join(sorted(str(value or "").replace("~", "").replace("&", "").split()))


def rights(reply: Sequence[Any] | Mapping[str, Any]) -> Rights:
    """Read the reply to ACL GETUSER."""
    if not isinstance(reply, Mapping):
        reply = dict(zip(reply[::2], reply[1::2], strict=True))
    return Rights(
        # a user of an ACL file lacks the mark that one of SETUSER has: it says what is the default
        flags=frozenset(str(flag) for flag in reply.get("flags") or ()) - {"sanitize-payload"},
        passwords=frozenset(str(password).lstrip("#") for password in reply.get("passwords") or ()),
        rules=(
            " ".join(str(reply.get("commands", "")).split()),
            _joined(reply.get("keys")),
            _joined(reply.get("channels")),
            str(reply.get("selectors") or ""),
        ),
    )


def rules_and_hashes(line: str) -> tuple[list[str], frozenset[str], bool]:
    """Split a line of an ACL file into its rules without passwords, the hashes, and whether the user is on."""
    words = line.split()[2:]
    hashes = frozenset(word[1:] for word in words if word.startswith("#"))
    return [word for word in words if not word.startswith("#") and word not in ("on", "off")], hashes, "on" in words
