"""Images: pulled where a registry answers, built otherwise."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import docker
import yaml
from docker.errors import APIError, BuildError, ImageNotFound

from engine.daemon import install
from engine.errors import NotPossible
from engine.wheelhouse import fill

CHECKOUT = Path(__file__).resolve().parents[1]
DESCRIPTION = CHECKOUT / "images" / "images.yml"
WHEELHOUSE = CHECKOUT / "build" / "wheelhouse"
REPOSITORY = "redis-celery-stack"
BOOTSTRAP = 600  # seconds that a base may take
ALONE = threading.Lock()  # for what only one thread may do: apt, and downloads to the wheelhouse


@dataclass(frozen=True)
class Image:
    """An entry of images/images.yml."""

    name: str
    pull: str = ""
    suite: str = ""  # of Debian, from whose packages it can be built
    build: str = ""  # folder with a Dockerfile
    base: str = ""
    context: tuple[str, ...] = ()  # what of the checkout goes into it, besides that folder
    wheels: bool = False  # it installs packages of Python: from wheels that were downloaded here
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """What it is made of, bytecode left out."""
        named = [CHECKOUT / entry for entry in (self.build, *self.context)]
        found = [path for entry in named for path in (entry.rglob("*") if entry.is_dir() else [entry])]
        return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def described() -> dict[str, Image]:
    """Return name → image."""
    entries = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
    return {
        name: Image(name, **{**entry, "context": tuple(entry.get("context", ()))}) for name, entry in entries.items()
    }


def ensure(client: docker.DockerClient, name: str) -> str:
    """Return the tag of an image, which is pulled or built first where it is missing.

    Raises:
        NotPossible: if there is no such image, or it can neither be pulled nor built here.
    """
    image = _find(name)
    if image.pull and (found := _pulled(client, image)):
        return found
    return _built(client, image) if image.build else _from_packages(client, image)


def say(text: str) -> None:
    """Print a line in one piece, whatever other threads print."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def families(names: Iterable[str]) -> list[list[str]]:
    """Return the names in groups, by the base at the bottom: two groups share nothing, and may be built side by side.

    Raises:
        NotPossible: if there is no such image.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        image = _find(name)
        while image.base:
            image = _find(image.base)
        groups.setdefault(image.name, []).append(name)
    return list(groups.values())


def _find(name: str) -> Image:
    known = described()
    if name not in known:
        raise NotPossible(f"images/images.yml has no image {name}: use one of {', '.join(sorted(known))}.")
    return known[name]


def _there(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def _pulled(client: docker.DockerClient, image: Image) -> str | None:
    """Return the tag of the official image; none where no registry answers."""
    if _there(client, image.pull):
        return image.pull
    if any(tag.startswith(f"{REPOSITORY}/{image.name}:") for had in client.images.list() for tag in had.tags):
        return None  # it was built here, as the registry did not answer then
    say(f"pulling {image.pull}")
    try:
        client.images.pull(image.pull)
    except (APIError, ImageNotFound) as error:
        say(f"{image.pull} cannot be pulled: {error.explanation or error}")
        return None
    return image.pull


def _from_packages(client: docker.DockerClient, image: Image) -> str:
    """Return a base that is built from Debian's packages."""
    tag = f"{REPOSITORY}/{image.name}:packages"
    if not _there(client, tag):
        _bootstrap(client, image, tag)
    return tag


def _bootstrap(client: docker.DockerClient, image: Image, tag: str) -> None:
    if os.geteuid() or not shutil.which("apt-get"):
        raise NotPossible(
            f"{image.pull} cannot be pulled, and building {image.name} takes root on Debian: check the registry."
        )
    with ALONE:
        if not shutil.which("mmdebstrap"):
            install("mmdebstrap")
    say(f"building {tag} from Debian's packages")
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "root.tar"
        done = subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates", image.suite, str(archive)],
            capture_output=True,
            text=True,
            check=False,
            timeout=BOOTSTRAP,
        )
        if done.returncode:
            raise NotPossible(f"mmdebstrap {image.suite} failed: {done.stderr.strip()[-500:]}")
        repository, version = tag.rsplit(":", 1)
        client.api.import_image_from_file(str(archive), repository=repository, tag=version)


def _built(client: docker.DockerClient, image: Image) -> str:
    """Return an image that Docker builds."""
    base = ensure(client, image.base)
    tag = f"{REPOSITORY}/{image.name}:{_digest(image, base)}"
    if _there(client, tag):
        return tag
    say(f"building {tag}")
    arguments = {"BASE": base, **image.arguments, **({"PIP_OPTIONS": "--no-index"} if image.wheels else {})}
    with _context(image) as context:
        try:
            client.images.build(
                fileobj=context,
                custom_context=True,
                dockerfile=f"{image.build}/Dockerfile" if image.context else "Dockerfile",
                tag=tag,
                buildargs=arguments,
                rm=True,
                forcerm=True,
            )
        except BuildError as error:
            log = "".join(str(line.get("stream", "")) for line in error.build_log)
            raise NotPossible(f"{image.build} cannot be built: {error.msg}\n{log[-2000:]}") from None
    return tag


def _digest(image: Image, base: str) -> str:
    """Return 12 digits that change with anything that goes into the image."""
    digest = hashlib.sha256("\0".join([base, *map("=".join, sorted(image.arguments.items()))]).encode())
    for path in image.files:
        digest.update(f"{path.relative_to(CHECKOUT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _context(image: Image) -> Iterator[IO[bytes]]:
    """Yield what Docker builds from: the folder of the Dockerfile, or this checkout as far as the image names it."""
    root = CHECKOUT if image.context else CHECKOUT / image.build
    files = image.files
    if image.wheels:
        with ALONE:
            files += sorted(fill(WHEELHOUSE).glob("*.whl"))
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for path in files:
                archive.add(path, str(path.relative_to(root)))
        file.seek(0)
        yield file
