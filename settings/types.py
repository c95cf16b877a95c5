"""The types of settings, with messages that say how to write them right."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, SerializationInfo
from pydantic_core import PydanticCustomError

# redis.conf: "1k => 1000 bytes, 1kb => 1024 bytes ... units are case insensitive so 1GB 1Gb 1gB are all the same"
_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}


def refuse(rule: str, message: str, fix: str) -> PydanticCustomError:
    """Build the error of a type, with the rule it names and the fix it offers."""
    return PydanticCustomError(rule, "{message}", {"message": message, "fix": fix})  # type: ignore[arg-type]


def human_bytes(size: int) -> str:
    """Write a size as redis.conf would: 536870912 → "512mb"."""
    for unit in ("gb", "mb", "kb"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return str(size)


def parse_bytes(value: Any) -> int:
    """Read a size as Redis does; return bytes.

    Raises:
        PydanticCustomError: on a fraction, an unknown unit, a negative number or a non-number.
    """
    rule = "a size is a whole number with an optional unit of Redis: b, k, kb, m, mb, g, gb"
    if isinstance(value, bool) or not isinstance(value, int | str | float):
        raise refuse("size", rule, "write 512mb")
    match = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(value).lower())
    if not match:
        raise refuse("size", rule, "write 512mb")
    number, unit = match.groups()
    iec = {"kib": "kb", "mib": "mb", "gib": "gb"}
    if unit in iec:
        raise refuse("size", rule, f"write {number}{iec[unit]}, which Redis reads as a power of two")
    if unit not in _UNITS:
        raise refuse("size", rule, f"write {number.split('.')[0]}mb")
    if "." in number:
        raise refuse("size", rule, f"write {human_bytes(round(float(number) * _UNITS[unit] / 1024) * 1024)}")
    if number.startswith("-"):
        raise refuse("size", rule, f"write {number[1:]}{unit}")
    return int(number) * _UNITS[unit]


def _whole(value: Any) -> Any:
    """Refuse a boolean where a number is due: pydantic would read true as 1."""
    if isinstance(value, bool):
        raise refuse("number", "a number is due here, not a yes or no", "write digits")
    return value


def _word(value: Any) -> Any:
    """Explain the classic: YAML reads an unquoted no as false."""
    if isinstance(value, bool):
        word = "yes" if value else "no"
        raise refuse("word", f"YAML reads an unquoted {word} as {str(value).lower()}", f'put quotes around it: "{word}"')
    if isinstance(value, int | float):
        return str(value)
    return value


def _matching(rule: str, pattern: str, message: str, fix: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise refuse(rule, message, fix)
        return value

    return AfterValidator(check)


def _url(value: str) -> str:
    if value and urlsplit(value).scheme not in ("redis", "rediss"):
        raise refuse("url", "a broker is reached by redis:// or rediss://", "write rediss://user:password@host:6380/0")
    return value


def _reveal(secret: SecretStr, info: SerializationInfo) -> str:
    """Masked unless the caller asks: `model_dump(context={"reveal": True})`."""
    revealed = bool(info.context and info.context.get("reveal"))
    return secret.get_secret_value() if revealed else str(secret)


def _secret(value: SecretStr) -> SecretStr:
    """Redis splits an ACL rule at spaces, Celery a URL at `@/:`; whitespace and control characters fit nowhere."""
    if re.search(r"[\s\x00-\x1f\x7f\"'\\]", value.get_secret_value()):
        raise refuse("secret", "a password may not hold white space, quotes, backslashes or control characters", "run make secrets")
    return value


def _one_line(value: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise refuse("text", "line breaks and control characters would end the line that this is written to", "write it on one line")
    return value


# strict=False on Flag and numbers: a value given as `-e redis_port=6380` arrives as text
Flag = Annotated[bool, Field(strict=False)]
Whole = Annotated[int, BeforeValidator(_whole), Field(ge=0)]
Positive = Annotated[int, BeforeValidator(_whole), Field(ge=1)]
Integer = Annotated[int, BeforeValidator(_whole)]
Seconds = Annotated[float, BeforeValidator(_whole), Field(ge=0, allow_inf_nan=False)]
Port = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=65535)]
PortOrOff = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=65535)]
Bytes = Annotated[int, BeforeValidator(parse_bytes), Field(ge=0)]
Word = BeforeValidator(_word)  # in front of a Literal whose choices YAML may mistake for booleans
Text = Annotated[str, BeforeValidator(_word), AfterValidator(_one_line)]
Secret = Annotated[SecretStr, BeforeValidator(_word), AfterValidator(_secret), PlainSerializer(_reveal)]
ManagedUrl = Annotated[str, AfterValidator(_one_line), AfterValidator(_url)]
Name = Annotated[
    str,
    BeforeValidator(_word),
    _matching("name", r"[a-z0-9]([a-z0-9_-]{0,46}[a-z0-9])?", "a name becomes part of file, unit and node names: at most 48 of a-z 0-9 _ -", "write it like fast-1"),
]
QueueName = Annotated[
    str,
    BeforeValidator(_word),
    # glob characters would widen the ACL's key pattern, a comma would split --queues
    _matching("queue", r"[A-Za-z0-9_.:-]{1,128}", "a queue's name may hold letters, digits and _ . : -", "write it like reports.daily"),
]
TaskPattern = Annotated[
    str,
    BeforeValidator(_word),
    _matching("task", r"[A-Za-z0-9_.*?\[\]-]{1,256}", "a task's name or pattern may hold letters, digits, _ . - and the wildcards * ? [ ]", "write it like reports.*"),
]
Identifier = Annotated[
    str,
    BeforeValidator(_word),
    _matching("identifier", r"[A-Za-z_][A-Za-z0-9_.]*(:[A-Za-z_][A-Za-z0-9_.]*)?", "a Python module or module:attribute is due", "write it like tasks.app:app"),
]
UserName = Annotated[
    str,
    BeforeValidator(_word),
    _matching("user", r"[A-Za-z_][A-Za-z0-9_-]{0,31}", "a user's name may hold 32 letters, digits, _ or -", "write it like celery"),
]
AbsolutePath = Annotated[
    str,
    BeforeValidator(_word),
    _matching("path", r"(/[A-Za-z0-9_.+@=,~-]+)+", "an absolute path without white space or shell characters is due", "write it like /opt/celery"),
]
Command = Annotated[
    str,
    BeforeValidator(_word),
    _matching("path", r"(/[A-Za-z0-9_.+@=,~-]+)+|[A-Za-z0-9_.+-]+", "a program's name or absolute path is due", "write it like /usr/bin/python3"),
]
PathOrEmpty = Annotated[
    str,
    BeforeValidator(_word),
    _matching("path", r"((/[A-Za-z0-9_.+@=,~-]+)+)?", "an absolute path without white space or shell characters is due", "write it like /srv/stack, or leave it empty"),
]
Address = Annotated[
    str,
    BeforeValidator(_word),
    _matching("address", r"[A-Za-z0-9_.:%*-]+", "an address, a host name or * is due", "write it like 10.0.0.5"),
]
Version = Annotated[
    str,
    BeforeValidator(_word),
    _matching("version", r"\d+\.\d+(\.\d+)?", "a version is major.minor", 'write it like "7.0", in quotes'),
]

SavePoint = Annotated[
    str,
    BeforeValidator(_word),
    _matching("save", r"[1-9]\d{0,9} [1-9]\d{0,9}", 'a snapshot is due after "seconds changes"', 'write it like "900 1"'),
]
HostAndPort = Annotated[
    str,
    BeforeValidator(_word),
    _matching("address", r"([A-Za-z0-9_.:-]+ \d{1,5})?", 'a master is named as "host port"', 'write it like "10.0.0.5 6379"'),
]


def _buffer_limit(value: str) -> str:
    """Write the sizes in bytes, as CONFIG GET does: the deploy compares them."""
    hard, soft, seconds = value.split()
    return f"{parse_bytes(hard)} {parse_bytes(soft)} {int(seconds)}"


BufferLimit = Annotated[
    str,
    BeforeValidator(_word),
    _matching(
        "size", r"(?i:(\d+(b|kb?|mb?|gb?)? ){2})\d+", 'a limit is "hard soft seconds"', 'write it like "32mb 8mb 60"'
    ),
    AfterValidator(_buffer_limit),
]
