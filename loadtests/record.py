"""What is kept of a run: what was asked, what was measured, what was decided. `load.json` holds it; reports are made from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from loadtests.figures import Figures
from settings.model.load import LoadProfile


@dataclass(frozen=True)
class Sample:
    """What was seen of the deployment at one moment."""

    at: float  # seconds since time 0 of the schedule; before it, below 0
    backlog: dict[str, int] = field(default_factory=dict)  # queue → messages that wait, of all priorities
    unacked: int = 0  # messages that workers hold
    redis_memory: int = 0  # bytes that the data take: used_memory
    workers: dict[str, int] = field(default_factory=dict)  # worker process → bytes in memory, its children's among them


@dataclass(frozen=True)
class Happened:
    """A fault during the run."""

    at: float  # seconds since time 0
    until: float
    name: str
    place: str


@dataclass(frozen=True)
class Verdict:
    """What became of an objective."""

    objective: str  # in words, with its bound: "end_to_end_p95 of short at most 0.2 s"
    measure: str
    task: str | None
    bound: float
    value: float | None  # in the unit of the measure; None where nothing could be measured, which is no pass
    kept: bool
    unit: str
    note: str = ""


@dataclass
class Record:
    """A run."""

    inventory: str
    profile: LoadProfile
    command: str  # that does the same again
    date: str  # ISO 8601, UTC
    figures: Figures
    samples: list[Sample]
    faults: list[Happened] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    redis_maxmemory: int = 0  # bytes; 0 is no limit
    drained: float | None = None  # seconds from the last arrival until nothing waited and nothing was held; None: never

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        told = {name: value for name, value in vars(self).items() if name not in ("profile", "figures")}
        for name in ("samples", "faults", "verdicts"):
            told[name] = [asdict(one) for one in told[name]]
        return {**told, "profile": self.profile.model_dump(mode="json"), "figures": self.figures.as_dict()}

    @classmethod
    def of(cls, said: dict[str, Any]) -> Record:
        """Return what `as_dict` returned."""
        kinds: dict[str, Any] = {"samples": Sample, "faults": Happened, "verdicts": Verdict}
        lists = {name: [kind(**one) for one in said[name]] for name, kind in kinds.items()}
        figures, profile = Figures.of(said["figures"]), LoadProfile.model_validate(said["profile"])
        return cls(**{**said, **lists, "figures": figures, "profile": profile})

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_dict()) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Record:
        """Return the run of a file."""
        return cls.of(json.loads(path.read_text(encoding="utf-8")))
