"""What a run takes along to the hosts that generate: the target, the workload, and every file that these name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from engine.errors import NotPossible
from loadtests.generator.target import Target
from loadtests.run.launcher import FOLDER
from settings.model.load import LoadProfile

TARGET, PROFILE = "target.json", "profile.json"
TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
IN_URL = re.compile(rf"({'|'.join(TLS_FILES)})=([^&;]+)")


def carried(target: Target, profile: LoadProfile) -> dict[str, str]:
    """Return name → text of the files; they name each other by FOLDER, which the launcher knows.

    Args:
        target: what is put under load; its TLS files are this machine's.
        profile: the workload; so is its trace.

    Raises:
        NotPossible: if a file cannot be read.
    """
    found: dict[str, str] = {}

    def take(path: str) -> str:
        name = f"{len(found)}-{Path(path).name}"
        try:
            found[name] = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise NotPossible(f"{path} cannot be read ({error.strerror}), and the generators need it.") from None
        return f"{FOLDER}/{name}"

    def moved(url: str) -> str:
        return IN_URL.sub(lambda match: f"{match[1]}={take(match[2])}", url)

    sentinel = dict(target.sentinel)
    if sentinel.get("tls"):
        sentinel["tls"] = {name: take(value) if name in TLS_FILES else value for name, value in sentinel["tls"].items()}
    there = replace(target, broker=moved(target.broker), results=moved(target.results), sentinel=sentinel)
    trace = take(profile.trace) if profile.trace else ""
    found[TARGET] = there.as_json()
    found[PROFILE] = profile.model_copy(update={"trace": trace}).model_dump_json()
    return found
