"""The types of settings. How each is read, and what it says when it refuses, stands in `parsing.py`."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Le
from pydantic import AfterValidator, BeforeValidator, PlainSerializer, SecretStr

from settings.parsing import (
    LARGEST_NUMBER,
    LAST_PORT,
    buffer_limit,
    day,
    duration,
    flag,
    host_and_port,
    human_bytes,
    json_value,
    matching,
    network,
    number,
    one_line,
    one_word,
    parse_bytes,
    private_key,
    read_word,
    redis_url,
    reveal,
    secret_text,
    url_text,
    whole,
)
from settings.units import unit_line


@dataclass(frozen=True)
class Kind:
    """What the documentation calls a type, and what a role's argument_specs call it."""

    name: str
    ansible: str = "str"


Flag = Annotated[bool, Kind("yes or no", "bool"), BeforeValidator(flag)]
# Bounds stand twice: the reader words the refusal, and Ge and Le tell documentation and tests.
Whole = Annotated[int, Kind("whole number", "int"), whole(0), Ge(0)]
Positive = Annotated[int, Kind("whole number", "int"), whole(1), Ge(1)]
Integer = Annotated[int, Kind("whole number", "int"), whole(-LARGEST_NUMBER)]
Seconds = Annotated[float, Kind("number", "float"), BeforeValidator(duration)]
Number = Annotated[float, Kind("number", "float"), BeforeValidator(number)]
Priority = Annotated[int, Kind("priority", "int"), whole(0, 255), Ge(0), Le(255)]
Port = Annotated[int, Kind("port", "int"), whole(1, LAST_PORT), Ge(1), Le(LAST_PORT)]
PortOrOff = Annotated[int, Kind("port, or 0", "int"), whole(0, LAST_PORT), Ge(0), Le(LAST_PORT)]
Bytes = Annotated[int, Kind("size"), BeforeValidator(parse_bytes)]
Day = Annotated[datetime.date, Kind("day"), BeforeValidator(day)]
Json = Annotated[Any, Kind("anything JSON carries", "raw"), BeforeValidator(json_value)]
Word = BeforeValidator(read_word)  # in front of a Literal whose choices YAML may mistake for booleans
Text = Annotated[str, Kind("text"), BeforeValidator(read_word), AfterValidator(one_line)]
Secret = Annotated[
    SecretStr, Kind("secret"), BeforeValidator(secret_text), AfterValidator(one_word), PlainSerializer(reveal)
]
ManagedUrl = Annotated[
    SecretStr, Kind("secret URL"), BeforeValidator(url_text), AfterValidator(redis_url), PlainSerializer(reveal)
]
PrivateKey = Annotated[
    SecretStr, Kind("private key"), BeforeValidator(secret_text), AfterValidator(private_key), PlainSerializer(reveal)
]
Name = Annotated[
    str,
    Kind("name"),
    BeforeValidator(read_word),
    matching(
        "name",
        r"[a-z0-9]([a-z0-9_-]{0,46}[a-z0-9])?",
        "a name becomes part of file, unit and node names: at most 48 of a-z 0-9 _ -",
        "write it like fast-1",
    ),
]
QueueName = Annotated[
    str,
    Kind("queue's name"),
    BeforeValidator(read_word),
    # glob characters would widen the ACL's key pattern, a comma would split --queues
    matching(
        "queue",
        r"[A-Za-z0-9_.:-]{1,128}",
        "a queue's name may hold letters, digits and _ . : -",
        "write it like reports.daily",
    ),
]
TaskName = Annotated[
    str,
    Kind("task's name"),
    BeforeValidator(read_word),
    matching(
        "task",
        r"[A-Za-z0-9_.:-]{1,256}",
        "a task's name may hold letters, digits and _ . : -",
        "write it like reports.send",
    ),
]
TaskPattern = Annotated[
    str,
    Kind("task's name or pattern"),
    BeforeValidator(read_word),
    matching(
        "task",
        r"[A-Za-z0-9_.:*?\[\]!-]{1,256}",
        "a task's name or pattern may hold letters, digits, _ . : - and the wildcards * ? [ ]",
        "write it like reports.*",
    ),
]
Identifier = Annotated[
    str,
    Kind("Python name"),
    BeforeValidator(read_word),
    matching(
        "identifier",
        r"[A-Za-z_][A-Za-z0-9_.]{0,255}(:[A-Za-z_][A-Za-z0-9_.]{0,255})?",
        "a Python module or module:attribute is due",
        "write it like tasks.app:app",
    ),
]
UserName = Annotated[
    str,
    Kind("user's name"),
    BeforeValidator(read_word),
    matching(
        "user",
        r"[A-Za-z_][A-Za-z0-9_-]{0,31}",
        "a user's name may hold 32 letters, digits, _ or -",
        "write it like celery",
    ),
]
_PATH = r"(/(?!\.\.?(/|$))[A-Za-z0-9_.+@=,~-]+)+"
Command = Annotated[
    str,
    Kind("program"),
    BeforeValidator(read_word),
    matching(
        "path",
        rf"{_PATH}|[A-Za-z0-9_+][A-Za-z0-9_.+-]*",
        "a program's name or absolute path is due",
        "write it like /usr/bin/python3",
    ),
]
PathOrEmpty = Annotated[
    str,
    Kind("path"),
    BeforeValidator(read_word),
    matching(
        "path",
        rf"({_PATH})?",
        "an absolute path is due, without white space, shell characters, .. or a slash at its end",
        "write it like /srv/stack, or leave it empty",
    ),
]
DirectoryPath = Annotated[
    str,
    Kind("directory"),
    BeforeValidator(read_word),
    matching(
        "path",
        _PATH,
        "an absolute path is due, without white space, shell characters, .. or a slash at its end",
        "write it like /var/backups/redis",
    ),
]
CopyTarget = Annotated[
    str,
    Kind("directory, or user@host:/directory"),
    BeforeValidator(read_word),
    matching(
        "target",
        rf"([A-Za-z_][A-Za-z0-9_-]{{0,31}}@[A-Za-z0-9][A-Za-z0-9.-]{{0,252}}:)?{_PATH}|",
        "a copy goes to user@host:/directory, or to an absolute path on the host",
        "write it like backup@192.0.2.31:/srv/backups, or leave it empty",
    ),
]
TimeOfDay = Annotated[
    str,
    Kind("time of day"),
    BeforeValidator(read_word),
    matching(
        "time",
        r"([01]\d|2[0-3]):[0-5]\d",
        "a time of day is HH:MM, from 00:00 to 23:59",
        'write it like "02:30", in quotes',
    ),
]
BindAddress = Annotated[
    str,
    Kind("address"),
    BeforeValidator(read_word),
    matching("address", r"-?[A-Za-z0-9_.:%*-]{1,253}", "an address, a host name or * is due", "write it like 10.0.0.5"),
]
Network = Annotated[str, Kind("address or network"), BeforeValidator(read_word), AfterValidator(network)]
AddressOrEmpty = Annotated[
    str,
    Kind("address"),
    BeforeValidator(read_word),
    matching(
        "address",
        r"([A-Za-z0-9_.:-]{1,253})?",
        "an address or a host name that others can connect to is due",
        "write it like 10.0.0.5",
    ),
]
Version = Annotated[
    str,
    Kind("version"),
    BeforeValidator(read_word),
    matching("version", r"\d{1,3}\.\d{1,3}(\.\d{1,3})?", "a version is major.minor", 'write it like "7.0", in quotes'),
]
TlsProtocols = Annotated[
    str,
    Kind("TLS versions"),
    BeforeValidator(read_word),
    matching(
        "tls",
        r"TLSv1(\.[123])?( TLSv1(\.[123])?)*",
        "versions of TLS are due, with spaces between",
        'write "TLSv1.2 TLSv1.3"',
    ),
]
ReleaseId = Annotated[
    str,
    Kind("release"),
    BeforeValidator(read_word),
    matching(
        "release", r"([0-9a-f]{12})?", "a release is 12 digits of 0-9 a-f", "write it like 5c7e2fff49ed, in quotes"
    ),
]
RateLimit = Annotated[
    str,
    Kind("rate"),
    BeforeValidator(read_word),
    matching(
        "rate", r"\d{1,9}(\.\d{1,9})?(/[smh])?", "a rate is tasks per second, minute or hour", 'write it like "100/m"'
    ),
]
KeyPrefix = Annotated[
    str,
    Kind("prefix"),
    BeforeValidator(read_word),
    matching("prefix", r"([A-Za-z0-9_.-]{1,64}:)?", "a prefix of keys ends in a colon", "write it like shop:"),
]
UnitLine = Annotated[
    str,
    Kind("line of a systemd unit"),
    BeforeValidator(read_word),
    AfterValidator(one_line),
    AfterValidator(unit_line),
]
EnvironmentName = Annotated[
    str,
    Kind("variable's name"),
    matching(
        "environment",
        r"[A-Za-z_][A-Za-z0-9_]{0,127}",
        "a variable's name may hold letters, digits and _",
        "write it like LOG_FORMAT",
    ),
]
ArgumentName = Annotated[
    str,
    Kind("argument's name"),
    matching(
        "argument", r"[A-Za-z_][A-Za-z0-9_]{0,127}", "a keyword argument has a Python name", "write it like user_id"
    ),
]
ConfigKey = Annotated[
    str,
    Kind("Celery's key"),
    matching("key", r"[a-z][a-z0-9_]{0,127}", "Celery's keys are lower case", "write it like task_compression"),
]
SavePoint = Annotated[
    str,
    Kind("seconds and changes"),
    BeforeValidator(read_word),
    matching(
        "save", r"[1-9]\d{0,8} [1-9]\d{0,8}", 'a snapshot is due after "seconds changes"', 'write it like "900 1"'
    ),
]
HostAndPort = Annotated[
    str,
    Kind("host and port"),
    BeforeValidator(read_word),
    matching(
        "address",
        r"([A-Za-z0-9_.:-]{1,253} \d{1,5})?",
        'a master is named as "host port"',
        'write it like "10.0.0.5 6379"',
    ),
    AfterValidator(host_and_port),
]
BufferLimit = Annotated[
    str,
    Kind("hard soft seconds"),
    BeforeValidator(read_word),
    matching(
        "size",
        r"(?i:(\d{1,12}(b|kb?|mb?|gb?)? ){2})\d{1,9}",
        'a limit is "hard soft seconds"',
        'write it like "32mb 8mb 60"',
    ),
    AfterValidator(buffer_limit),
]

__all__ = ["human_bytes", "parse_bytes"]
