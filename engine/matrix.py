"""What the suites run on: versions of Redis and Python, and the transport, as `MATRIX="redis=7,8 python=3.13"`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import docker

from engine.errors import NotPossible
from engine.images import ensure

CHOICES: Mapping[str, tuple[str, ...]] = {
    "redis": ("7", "8"),
    "python": ("3.11", "3.13"),
    "transport": ("redis", "redis-plus"),
}
DEFAULT = {"redis": ["7"], "python": ["3.13"], "transport": ["redis"]}


@dataclass(frozen=True)
class Combination:
    """One of the matrix."""

    redis: str
    python: str
    transport: str

    def __str__(self) -> str:
        """Return it as MATRIX says it."""
        return f"redis={self.redis} python={self.python} transport={self.transport}"

    @property
    def images(self) -> tuple[str, str]:
        """Return the names of Redis' and of the workers' image in images/images.yml."""
        plus = "-plus" if self.transport == "redis-plus" else ""
        return f"redis-{self.redis}", f"worker-{self.python}{plus}"

    def settings(self, client: docker.DockerClient) -> dict[str, str]:
        """Return the settings that name the images, which are pulled or built first, and what is in them.

        Raises:
            NotPossible: if an image cannot be had.
        """
        redis, worker = self.images
        return {
            "redis_version": f"{self.redis}.0",
            "celery_transport": self.transport,
            "stack_image_redis": ensure(client, redis),
            "stack_image_worker": ensure(client, worker),
        }


def combinations(text: str = "") -> list[Combination]:
    """Return what a MATRIX asks for; one pair where it says nothing.

    Args:
        text: words like `redis=7,8`; what is not named has its default.

    Raises:
        NotPossible: on a word or value that there is not, or a pair that cannot be.
    """
    asked: dict[str, list[str]] = {}
    for word in text.split():
        name, _, values = word.partition("=")
        chosen = list(dict.fromkeys(value for value in values.split(",") if value))
        wrong = [value for value in chosen if value not in CHOICES.get(name, ())]
        if name not in CHOICES or wrong or not chosen:
            known = " ".join(f"{key}={','.join(of)}" for key, of in CHOICES.items())
            raise NotPossible(f"MATRIX: {word!r} is not known: choose of {known}.")
        if name in asked:
            raise NotPossible(f"MATRIX: {name} is said twice: write {name}={','.join([*asked[name], *chosen])}.")
        asked[name] = chosen
    complete = {**DEFAULT, **asked}
    found = [Combination(*values) for values in itertools.product(*(complete[name] for name in CHOICES))]
    for one in found:
        if one.transport == "redis-plus" and one.python == "3.11":
            raise NotPossible(f"MATRIX: {one}: celery-redis-plus takes Python 3.13: leave python=3.11 out.")
    return found
