"""How the value of a setting is read, and how it is refused: every refusal says how to write it right.

Every reader refuses by `refuse(rule, message, fix)`: pydantic's own words never reach a person where a value is
written in a wrong way. Values given as `-e redis_port=6380` arrive as text: numbers and flags are read from it.
"""

from __future__ import annotations

import datetime
import ipaddress
import math
import re
from typing import Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, SerializationInfo
from pydantic_core import PydanticCustomError

# As redis.conf says it: 1k is 1000 bytes and 1kb is 1024, in upper or lower case.
_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 1000**2, "mb": 1024**2, "g": 1000**3, "gb": 1024**3}
_IEC = {"ki": "kb", "kib": "kb", "mi": "mb", "mib": "mb", "gi": "gb", "gib": "gb"}
_SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LARGEST_SIZE = 2**63 - 1  # Redis keeps sizes in a signed 64-bit number
_TOO_LARGE = "it is larger than the 64 bits that Redis has for a size"
LARGEST_NUMBER = 2**53  # beyond it JSON and Lua lose digits
LONGEST = 10 * 365 * 86_400  # ten years in seconds; no time here has a use beyond
LAST_PORT = 65_535
_DEEPEST = 20  # levels of a JSON value


def refuse(rule: str, message: str, fix: str) -> PydanticCustomError:
    """Build the error of a type, with the rule it names and the fix it offers."""
    return PydanticCustomError(rule, "{message}", {"message": message, "fix": fix})


def human_bytes(size: int) -> str:
    """Write a size as redis.conf would: 536870912 → "512mb"."""
    for unit in ("gb", "mb", "kb"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return str(size)


def parse_bytes(value: Any) -> int:
    """Read a size as Redis does; return bytes.

    Raises:
        PydanticCustomError: on a fraction, an unknown unit, a negative number, a size beyond 64 bits or a non-number.
    """
    rule = "a size is a whole number with an optional unit of Redis: b, k, kb, m, mb, g, gb"
    if isinstance(value, bool) or not isinstance(value, int | str | float):
        raise refuse("size", rule, "write it like 512mb")
    if isinstance(value, int) and abs(value) > _LARGEST_SIZE:
        raise refuse("size", _TOO_LARGE, "write it like 512mb")
    match = re.fullmatch(r"(\s*)(-?)(\d{1,19})(\.\d{1,19})?(\s*)([a-z]{0,8})(\s*)", str(value).lower(), re.ASCII)
    if not match:
        raise refuse("size", rule, "write it like 512mb")
    before, minus, digits, fraction, between, unit, after = match.groups(default="")
    unit = _IEC.get(unit, unit)
    if unit not in _UNITS:
        raise refuse("size", rule, f"write {digits}mb")
    size = int(digits) * _UNITS[unit]
    if fraction:
        size = round(float(digits + fraction) * _UNITS[unit] / 1024) * 1024
        raise refuse("size", rule, f"write {human_bytes(size)}" if size else "write it like 512mb")
    if minus or before or between or after or unit != match[6]:
        raise refuse("size", rule, f"write {digits}{unit}")
    if size > _LARGEST_SIZE:
        raise refuse("size", _TOO_LARGE, "write it like 512mb")
    return size


def _number(value: Any, least: float, most: float, *, fractions: bool) -> Any:
    """Read a number; refuse what YAML, Python or pydantic would read as one by accident."""
    due = "a number is due here" if fractions else "a whole number is due here"
    if isinstance(value, bool):
        raise refuse("number", f"{due}, not a yes or no", "write digits")
    if isinstance(value, str):
        pattern = r"-?\d{1,19}(\.\d{1,19})?" if fractions else r"-?\d{1,19}"
        if not re.fullmatch(pattern, value, re.ASCII):
            raise refuse("number", due, _without_unit(value))
        value = float(value) if "." in value else int(value)
    if not isinstance(value, int | float) or not (isinstance(value, int) or math.isfinite(value)):
        raise refuse("number", due, "write digits")
    if not least <= value <= most:
        raise refuse(
            "range",
            f"it must be from {least:g} to {most}",
            f"write {least:g} or more" if value < least else "write less",
        )
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, float) and not fractions:
        raise refuse("number", due, f"write {math.ceil(value)}")
    return value


def _without_unit(value: str) -> str:
    """Return the fix of a number that was written with a unit."""
    match = re.fullmatch(r"\s*(\d{1,9})\s*([A-Za-z%]*)\s*", value, re.ASCII)
    if not match:
        return "write digits"
    seconds = _SECONDS.get(match[2].lower())
    return f"write {int(match[1]) * seconds:g}, the seconds" if seconds and match[2] else f"write {match[1]}"


def whole(least: int = 0, most: int = LARGEST_NUMBER) -> BeforeValidator:
    """Build the reader of whole numbers between two bounds."""
    return BeforeValidator(lambda value: _number(value, least, most, fractions=False))


def duration(value: Any) -> Any:
    """Read a number of seconds."""
    return _number(value, 0, LONGEST, fractions=True)


def number(value: Any) -> Any:
    """Read a number of anything."""
    return _number(value, 0, LARGEST_NUMBER, fractions=True)


def flag(value: Any) -> bool:
    """Read a yes or no, in the words of YAML."""
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word in ("true", "yes", "on"):
        return True
    if word in ("false", "no", "off"):
        return False
    near = {"1": "true", "0": "false"}.get(str(value), "true or false")
    raise refuse("flag", "a yes or no is due here", f"write {near}")


def read_word(value: Any) -> Any:
    """Explain the classics: YAML reads an unquoted no as false, 7.10 as 7.1 and 2026-01-02 as a date."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        word = "yes" if value else "no"
        raise refuse(
            "word", f"YAML reads an unquoted {word} as {str(value).lower()}", f'put quotes around it: "{word}"'
        )
    if isinstance(value, int) and abs(value) < LARGEST_NUMBER:
        return str(value)
    if isinstance(value, float | datetime.date):
        kind = "number" if isinstance(value, float) else "date"
        raise refuse("word", f"text is due here, and YAML reads this as a {kind}", f'put quotes around it: "{value}"')
    raise refuse("word", "text is due here", "write text, in quotes where YAML would read something else")


def matching(rule: str, pattern: str, message: str, fix: str) -> AfterValidator:
    """Build a validator that refuses texts that do not match a pattern."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise refuse(rule, message, fix)
        return value

    return AfterValidator(check)


def reveal(secret: SecretStr, info: SerializationInfo) -> str:
    """Masked unless the caller asks: `model_dump(context={"reveal": True})`."""
    revealed = bool(info.context and info.context.get("reveal"))
    return secret.get_secret_value() if revealed else str(secret)


def secret_text(value: Any) -> Any:
    """A number is refused: YAML may have read 0123 as 83, and nobody may print it to compare."""
    if not isinstance(value, str):
        raise refuse("secret", "a secret is text, and YAML reads this as something else", "put quotes around it")
    if not value:
        raise refuse("secret", "a secret may not be empty", "run `make secrets ENV=...`, or delete the line")
    return value


def one_word(value: SecretStr) -> SecretStr:
    """Redis splits an ACL rule at spaces, Celery a URL at `@/:`; white space and control characters fit nowhere."""
    if re.search(r"[\s\x00-\x1f\x7f\"'\\]", value.get_secret_value()):
        raise refuse(
            "secret",
            "a password may not hold white space, quotes, backslashes or control characters",
            "run `make secrets ENV=...`",
        )
    return value


def private_key(value: SecretStr) -> SecretStr:
    """Take a private key as ssh-keygen writes it; ssh wants the line break at its end, which YAML may have eaten."""
    text = value.get_secret_value().strip()
    if not re.fullmatch(
        r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{1,20000}\n-----END ([A-Z]+ )?PRIVATE KEY-----", text
    ):
        raise refuse(
            "secret",
            "a private key is due, from -----BEGIN to -----END, without a passphrase that nobody could type",
            "write the file of `ssh-keygen -t ed25519 -N ''` as a block (|) into the vault file",
        )
    return SecretStr(text + "\n")


def one_line(value: str) -> str:
    """Refuse what would end the line of a file."""
    if re.search(r"[\x00-\x1f\x7f\x85\u2028\u2029]", value):
        raise refuse(
            "text",
            "line breaks and control characters would end the line that this is written to",
            "write it on one line",
        )
    return value


def redis_url(value: SecretStr) -> SecretStr:
    """Refuse URLs that lead to no Redis. They carry passwords: no message repeats them."""
    fix = "write rediss://user:password@host:port/db"
    text = value.get_secret_value()
    if not text:
        return value
    try:
        parts = urlsplit(text)
        complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise refuse("url", "this is no URL", fix) from None
    if parts.scheme not in ("redis", "rediss"):
        raise refuse("url", "a broker is reached by redis:// or rediss://", fix)
    if not complete or re.search(r"[\s\x00-\x1f\x7f\"'\\]", text):
        raise refuse("url", "the URL names no host, or holds white space or quotes", fix)
    if not re.fullmatch(r"/?|/\d{1,4}", parts.path, re.ASCII):
        raise refuse("url", "what follows the host is the number of a database", fix)
    return value


def url_text(value: Any) -> Any:
    """Refuse what is no text."""
    if not isinstance(value, str):
        raise refuse("url", "a URL is due here", "write rediss://user:password@host:port/db")
    return value


def day(value: Any) -> Any:
    """Refuse numbers: pydantic would read 20261231 as seconds since 1970."""
    fix = 'write it like "2026-12-31"'
    if isinstance(value, datetime.datetime) or not isinstance(value, str | datetime.date):
        raise refuse("date", "a day is due here", fix)
    if isinstance(value, str):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            raise refuse("date", "a day is due here", fix) from None
    return value


def json_value(value: Any, depth: int = 0) -> Any:
    """Take only what JSON carries: a message of Celery is JSON."""
    if depth > _DEEPEST:
        raise refuse("json", f"it is nested more than {_DEEPEST} levels deep", "flatten it")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if re.search(r"[\ud800-\udfff]", value):
            raise refuse("json", "it holds half a character, which UTF-8 cannot carry", "save the file as UTF-8")
        return value
    if isinstance(value, int | float):
        # in this order: a number beyond a float has no isfinite
        if abs(value) > LARGEST_NUMBER or not math.isfinite(value):
            raise refuse("json", f"a number here is finite and at most {LARGEST_NUMBER}", "write a smaller one")
        return value
    if isinstance(value, list):
        return [json_value(entry, depth + 1) for entry in value]
    if isinstance(value, dict):
        return {str(json_value(key, depth + 1)): json_value(entry, depth + 1) for key, entry in value.items()}
    kind = type(value).__name__.strip("_")
    raise refuse("json", f"JSON has no {kind}", "write it as text, in quotes")


def host_and_port(value: str) -> str:
    """Refuse ports that do not exist."""
    if value and not 0 < int(value.rsplit(" ", 1)[1]) <= LAST_PORT:
        raise refuse("address", "a port is a number from 1 to 65535", 'write it like "10.0.0.5 6379"')
    return value


def is_address(value: str) -> bool:
    """Whether a text is an address or a host's name that others can connect to."""
    return bool(re.fullmatch(r"[A-Za-z0-9_.:-]{1,253}", value, re.ASCII))


def network(value: str) -> str:
    """Take an address or a network in numbers: a packet filter knows no names."""
    fix = "write it like 10.0.0.5 or 10.0.0.0/24"
    try:
        read = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise refuse("network", "a packet filter takes an address or a network in numbers, no name", fix) from None
    exact = str(read) if "/" in value else str(read.network_address)
    if "/" in value and ipaddress.ip_interface(value).ip != read.network_address:
        raise refuse("network", "bits are set behind the network's length", f"write {exact}")
    return exact


def buffer_limit(value: str) -> str:
    """Write the sizes in bytes, as CONFIG GET does: the deploy compares them."""
    hard, soft, seconds = value.split()
    return f"{parse_bytes(hard)} {parse_bytes(soft)} {int(seconds)}"
