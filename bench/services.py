"""What runs on a host, read from the staged compose.yml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Service:
    """An entry of a compose.yml."""

    host: str
    name: str
    image: str
    command: tuple[str, ...]
    user: str
    volumes: tuple[tuple[Path, str, str], ...]  # path here, path there, ro or rw
    env_file: Path | None
    working_dir: str | None
    init: bool
    grace: int  # seconds that a stop may take
    restart: str

    @property
    def runs_celery(self) -> bool:
        """Whether this is a process of Celery."""
        return self.name.startswith("celery-")


def environment(file: Path) -> dict[str, str]:
    r"""Read a rendered EnvironmentFile as systemd does (systemd.exec(5)); python-dotenv leaves `\\$` and `` \\` `` as they are."""
    lines = re.findall(r'^(\w+)="(.*)"$', file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: re.sub(r"\\(.)", r"\1", value) for name, value in lines}


def services(host: str, folder: Path) -> list[Service]:
    """Return the services of a host; none where it has no compose.yml."""
    file = folder / "compose.yml"
    if not file.exists():
        return []
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    return [_service(host, name, entry, folder) for name, entry in entries.items()]


def _service(host: str, name: str, entry: dict[str, Any], folder: Path) -> Service:
    return Service(
        host=host,
        name=name,
        image=entry["image"],
        command=tuple(entry["command"]),
        user=entry["user"],
        volumes=tuple(_volume(text, folder) for text in entry["volumes"]),
        env_file=folder / entry["env_file"] if "env_file" in entry else None,
        working_dir=entry.get("working_dir"),
        init=entry.get("init", False),
        grace=int(entry.get("stop_grace_period", "10s").removesuffix("s")),
        restart=entry["restart"],
    )


def _volume(text: str, folder: Path) -> tuple[Path, str, str]:
    here, there, *mode = text.split(":")
    return (folder / here).resolve(), there, mode[0] if mode else "rw"
